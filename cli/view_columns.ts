import type { PlacedDraft } from '../config/load'
import type { Warning } from '../config/problem'
import { ConnectError } from '../runtime/errors'
import { didYouMean } from '../runtime/registry'
import type { Schema } from '../runtime/schema'
import { tokens } from '../sql/windows/tokens'

/** Words of SQL that stand like names of columns. */
const SQL_WORDS = new Set(
  'all and any array as asc between by case cast date day desc distinct div else end false filter from hour if in interval is like ilike limit minute mod month not null or order over quarter second select then time true week when where year'.split(
    ' ',
  ),
)

/**
 * Names in views that no flow writes and that look like a column that one does. Warnings, because a table that is there already may have
 * more columns than its flows write. `written`: columns by table; tables of which not all are known are not there.
 */
export function viewWarnings(draft: PlacedDraft, written: ReadonlyMap<string, Schema>): readonly Warning[] {
  return draft.spec.views.flatMap(view => {
    const names = written.get(view.from)?.fields.map(f => f.name)
    if (!names) return []
    const warn = (at: readonly string[], word: string): Warning => {
      const near = didYouMean(word, names)
      const message = `the flows of this file write no column "${word}" into ${view.from}`
      const hint = near ? `did you mean "${near}"?` : `they write ${names.join(', ')}`
      const { code, ...warning } = draft.problemAt(['views', view.name, ...at], word, {
        code: 'C015_UNKNOWN_COLUMN',
        message,
        hint,
      })
      return warning
    }
    const keys = view.keys.filter(key => !key.startsWith('_') && !names.includes(key)).map(key => warn(['keys'], key))
    const own = [...names, ...Object.keys(view.columns)]
    const within = (sql: string, at: readonly string[]): readonly Warning[] =>
      unknownWords(sql, own).flatMap(word => (didYouMean(word, names) === null ? [] : [warn(at, word)]))
    const columns = Object.entries(view.columns).flatMap(([name, sql]) => within(sql, ['columns', name]))
    return [...keys, ...columns, ...(view.where === null ? [] : within(view.where, ['where']))]
  })
}

/** Plain names in an expression that are not known: no functions, no words of SQL, none that the expression defines itself. */
function unknownWords(sql: string, known: readonly string[]): readonly string[] {
  const pieces = tokensOf(sql).filter(t => t.kind !== 'space' && t.kind !== 'comment')
  const textAt = (i: number): string => (pieces[i] ? sql.slice(pieces[i].start, pieces[i].end) : '')
  // `x -> ...` and `... AS x` make names of their own, which stand elsewhere too
  const definesNames = pieces.some((_, i) => (textAt(i) === '-' && textAt(i + 1) === '>') || /^as$/i.test(textAt(i)))
  if (definesNames) return []
  const words = pieces.flatMap((piece, i) => {
    const word = textAt(i)
    const part = textAt(i + 1) === '(' || textAt(i + 1) === '.' || textAt(i - 1) === '.'
    return piece.kind !== 'word' || part || word.startsWith('_') || SQL_WORDS.has(word.toLowerCase()) || known.includes(word)
      ? []
      : [word]
  })
  return [...new Set(words)]
}

/** None where it cannot be read, which ClickHouse says. */
function tokensOf(sql: string): ReturnType<typeof tokens> {
  try {
    return tokens(sql)
  } catch (thrown) {
    if (thrown instanceof ConnectError) return []
    throw thrown
  }
}
