import { ConnectError } from '../../runtime/errors'

/** A piece of ClickHouse SQL. `quoted` is an identifier in backticks or double quotes, `string` a literal. */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'punctuation' | 'space' | 'comment'
  readonly start: number
  readonly end: number
}

const RULES: readonly (readonly [Token['kind'], RegExp])[] = [
  ['space', /\s+/y],
  ['comment', /--[^\n]*|#[ !][^\n]*|\/\*[\s\S]*?\*\//y],
  ['string', /'(?:[^'\\]|\\[\s\S]|'')*'|\$(\w*)\$[\s\S]*?\$\1\$/y],
  ['quoted', /`(?:[^`\\]|\\[\s\S]|``)*`|"(?:[^"\\]|\\[\s\S]|"")*"/y],
  ['number', /0x[0-9a-f]+|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/iy],
  ['word', /[A-Za-z_]\w*/y],
  ['punctuation', /[^'"`$]|\$/y],
]

/** Pieces of an expression, comments as `comment`; together they are the whole text. Throws S006 where a quote is not closed. */
export function tokens(sql: string): readonly Token[] {
  const found: Token[] = []
  let at = 0
  while (at < sql.length) {
    const token = tokenAt(sql, at)
    if (!token) throw new ConnectError('S006_STATEMENT', `a quote is not closed: ${sql.slice(at, at + 40)}`)
    found.push(token)
    at = token.end
  }
  return found
}

function tokenAt(sql: string, start: number): Token | null {
  for (const [kind, pattern] of RULES) {
    pattern.lastIndex = start
    if (pattern.test(sql)) return { kind, start, end: pattern.lastIndex }
  }
  return null
}

const CLOSES: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' }

/**
 * An expression of a pipeline file that can be put into a statement: without comments (one would swallow what follows), refused
 * (S006) where it could end the place it is put into, which is a `;` or a bracket too many.
 */
export function expression(sql: string): string {
  const open: string[] = []
  let text = ''
  for (const { kind, start, end } of tokens(sql)) {
    const piece = sql.slice(start, end)
    text += kind === 'comment' ? ' ' : piece
    if (kind !== 'punctuation') continue
    if (piece === ';') throw new ConnectError('S006_STATEMENT', `one expression is expected, not a statement: ${sql}`)
    if (piece in CLOSES) open.push(CLOSES[piece])
    else if (')]}'.includes(piece) && open.pop() !== piece)
      throw new ConnectError('S006_STATEMENT', `unbalanced ${piece}: ${sql}`)
  }
  if (open.length > 0) throw new ConnectError('S006_STATEMENT', `${open[open.length - 1]} is missing: ${sql}`)
  if (text.trim() === '') throw new ConnectError('S006_STATEMENT', 'an expression is empty')
  return text.trim()
}
