import type { ConnectionConfig } from '../../connectors/clickhouse/config'
import { ConnectError } from '../../runtime/errors'
import type { StoreRow } from '../../runtime/store'
import { createStore } from '../../sql/client'
import { ensureDatabase } from '../../sql/database'
import { tokens } from '../../sql/windows/tokens'
import { printEnvelope } from '../envelope'
import { EXIT } from '../exit_codes'
import type { Io } from '../io'
import { connectionOption } from '../option_values'
import { withPipeline } from '../session'
import { tableText } from '../table'

export interface SqlOptions {
  readonly data: string
  readonly connection?: string
  readonly json?: boolean
}

/**
 * `connect sql FILE "SELECT ..."`: asks the pipeline's ClickHouse, embedded or not. Several statements run in order, to the first that
 * fails; at most one of them may give rows, which are printed. Returns the exit code.
 */
export function sql(file: string, statement: string, options: SqlOptions, io: Io): Promise<number> {
  return withPipeline(file, options.data, io, async ({ pipeline, signal }) => {
    const chosen = connectionOption(pipeline, 'clickhouse', options.connection)
    const store = createStore(chosen.config as ConnectionConfig, { baseDir: pipeline.baseDir })
    try {
      // the database is made by the first sink; a question before that deserves an answer about the table, not the database
      await ensureDatabase(store, signal)
      const all = statementsOf(statement)
      const asking = all.filter(returnsRows).length
      if (asking > 1)
        throw new ConnectError('C019_USAGE', `${asking} of these statements give rows`, {
          hint: 'ask for the rows of one at a time; other statements may stand beside it',
        })
      let rows: readonly StoreRow[] = []
      for (const one of all) {
        if (returnsRows(one)) rows = await store.query(one, { signal })
        else await store.command(one, { signal })
      }
      await print(rows, options, io)
      return EXIT.ok
    } catch (thrown) {
      throw forPeople(thrown)
    } finally {
      await store.close()
    }
  })
}

/** Statements between `;` that stand outside of quotes and comments. What cannot be taken apart is one, which ClickHouse refuses. */
export function statementsOf(text: string): readonly string[] {
  let pieces: ReturnType<typeof tokens>
  try {
    pieces = tokens(text)
  } catch {
    return [text]
  }
  const ends = pieces.filter(t => t.kind === 'punctuation' && text[t.start] === ';').map(t => t.start)
  const parts = [...ends, text.length].map((end, i) => {
    const start = i === 0 ? 0 : ends[i - 1] + 1
    const says = pieces.some(t => t.start >= start && t.end <= end && t.kind !== 'space' && t.kind !== 'comment')
    return says ? text.slice(start, end).trim() : ''
  })
  const statements = parts.filter(part => part !== '')
  return statements.length > 0 ? statements : [text]
}

/** Hints about flows and their tables do not help whoever asks. */
function forPeople(thrown: unknown): unknown {
  if (!(thrown instanceof ConnectError) || thrown.code !== 'S003_TABLE_MISMATCH') return thrown
  const meant = /Maybe you meant:? \[?['`]?([^\s?'`\]]+)/.exec(thrown.message)?.[1]
  const hint = meant ? `did you mean ${meant}?` : '`SHOW TABLES` lists the tables, `DESCRIBE TABLE` the columns of one'
  // it is the statement that is wrong, as with a column that is not there
  return new ConnectError('S006_STATEMENT', thrown.message, { hint, cause: thrown.cause })
}

/** Whether a statement answers with rows: by its first word, comments and brackets left out. */
export const returnsRows = (statement: string): boolean =>
  /^(?:[\s(]|--[^\n]*\n|\/\*[\s\S]*?\*\/)*(?:select|with|from|show|describe|desc|explain|exists|check)\b/i.test(statement)

async function print(rows: readonly StoreRow[], options: SqlOptions, io: Io): Promise<void> {
  const summary = `${rows.length} row(s)`
  if (options.json) return printEnvelope(io, { command: 'sql', ok: true, summary, result: { rows }, error: null })
  if (rows.length === 0) return io.err('no rows\n')
  const columns = Object.keys(rows[0])
  const cells = rows.map(r => columns.map(c => (typeof r[c] === 'string' ? r[c] : JSON.stringify(r[c] ?? null))))
  // aligned for people, as wide as their terminal; tab-separated for the next program
  await io.out(
    io.outIsTerminal
      ? tableText(columns, cells, io.errSize().columns)
      : [columns, ...cells].map(r => `${r.join('\t')}\n`).join(''),
  )
}
