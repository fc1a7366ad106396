import type { ConnectionConfig } from '../../connectors/clickhouse/config'
import type { StoreRow } from '../../runtime/store'
import { createStore } from '../../sql/client'
import { ensureDatabase } from '../../sql/database'
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

/** `connect sql FILE "SELECT ..."`: asks the pipeline's ClickHouse, embedded or not. Returns the exit code. */
export function sql(file: string, statement: string, options: SqlOptions, io: Io): Promise<number> {
  return withPipeline(file, options.data, io, async ({ pipeline, signal }) => {
    const chosen = connectionOption(pipeline, 'clickhouse', options.connection)
    const store = createStore(chosen.config as ConnectionConfig, { baseDir: pipeline.baseDir })
    try {
      // the database is made by the first sink; a question before that deserves an answer about the table, not the database
      await ensureDatabase(store, signal)
      const rows = returnsRows(statement)
        ? await store.query(statement, { signal })
        : await store.command(statement, { signal }).then(() => [])
      await print(rows, options, io)
      return EXIT.ok
    } finally {
      await store.close()
    }
  })
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
  // aligned for people, tab-separated for the next program
  await io.out(io.outIsTerminal ? tableText(columns, cells) : [columns, ...cells].map(r => `${r.join('\t')}\n`).join(''))
}
