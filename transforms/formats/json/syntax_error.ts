const TOKEN = /[{}[\],:]|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const PUNCTUATION = '{}[],:'

/** What may come next: a value; a value or the end of a list; a key; a key or the end of an object; `:`; `,` or an end. */
type Expect = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end'

/**
 * Where text stops being JSON, as characters from its start: JSON.parse tells it for some errors only. Call it for text that
 * JSON.parse has refused.
 */
export function errorPosition(text: string): number {
  const open: ('{' | '[')[] = []
  let expect: Expect = 'value'
  let at = 0
  for (;;) {
    while (' \t\n\r'.includes(text[at] ?? 'x')) at++
    if (open.length === 0 && expect === ', or end') return at
    const start = at
    let token = '"'
    if (text[at] === '"') {
      const end = stringEnd(text, at)
      if (!end.closed) return end.at
      at = end.at
    } else {
      TOKEN.lastIndex = at
      const match = TOKEN.exec(text)
      if (!match) return at
      token = PUNCTUATION.includes(match[0]) ? match[0] : 'v'
      at = TOKEN.lastIndex
    }
    const next = step(expect, token, open)
    if (next === null) return start
    expect = next
  }
}

/** Behind the closing quote of the string that starts at `from`, or where it goes wrong. */
function stringEnd(text: string, from: number): { readonly at: number; readonly closed: boolean } {
  let at = from + 1
  for (;;) {
    const code = text.charCodeAt(at)
    if (code === 0x22) return { at: at + 1, closed: true }
    // NaN behind the end; JSON allows no control characters
    if (!(code >= 0x20)) return { at, closed: false }
    if (code !== 0x5c) at++
    else {
      ESCAPE.lastIndex = at
      if (!ESCAPE.test(text)) return { at, closed: false }
      at = ESCAPE.lastIndex
    }
  }
}

/** What may follow a token; null if the token itself may not stand here. `open` is moved. */
function step(expect: Expect, token: string, open: ('{' | '[')[]): Expect | null {
  const value = expect === 'value' || expect === 'value or ]'
  switch (token) {
    case '{':
    case '[':
      if (!value) return null
      open.push(token)
      return token === '{' ? 'key or }' : 'value or ]'
    case '}':
      if (open.pop() !== '{' || (expect !== 'key or }' && expect !== ', or end')) return null
      return ', or end'
    case ']':
      if (open.pop() !== '[' || (expect !== 'value or ]' && expect !== ', or end')) return null
      return ', or end'
    case ',':
      if (expect !== ', or end') return null
      return open.at(-1) === '{' ? 'key' : 'value'
    case ':':
      return expect === ':' ? 'value' : null
    case '"':
      if (value) return ', or end'
      return expect === 'key' || expect === 'key or }' ? ':' : null
    default:
      return value ? ', or end' : null
  }
}
