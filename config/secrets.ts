/** What a secret becomes. */
const HIDDEN = '***'
/** Shorter secrets would turn every text into stars; they are hidden only where they stand as a value. */
const SHORTEST = 4
/** Base64 fragments shorter than this are found by chance. */
const SHORTEST_BASE64 = 6
/** Lines of a secret of several lines (a key in PEM) are hidden one by one from this length on. */
const SHORTEST_LINE = 16

/** `://user:password@` of any URL, known secret or not. */
const URL_PASSWORD = /(:\/\/[^\s:@/]{0,256}:)[^\s@/]{1,1024}(@)/g

/**
 * A function that hides the given secrets in any text: as they are, URL-encoded, escaped as in JSON, in base64 (alone or inside
 * something longer, as in an Authorization header), and passwords in URLs whether they are listed or not.
 */
export function createScrubber(secrets: readonly string[]): (text: string) => string {
  const forms = new Set(secrets.filter(s => s.trim().length >= SHORTEST).flatMap(formsOf))
  const short = secrets.filter(s => s.length > 0 && s.trim().length < SHORTEST)
  // Longest first: a secret that holds another must go as a whole.
  const listed = [...forms].sort((a, b) => b.length - a.length).map(escaped)
  const anywhere = listed.length > 0 ? new RegExp(listed.join('|'), 'g') : null
  const asValue = short.length > 0 ? shortPattern(short) : null
  return text => {
    let out = text.replace(URL_PASSWORD, `$1${HIDDEN}$2`)
    if (anywhere) out = out.replace(anywhere, HIDDEN)
    if (asValue) out = out.replace(asValue, `$1${HIDDEN}`)
    return out
  }
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')

/** `password=abc`, `"secret": "abc"`, `token abc`, for secrets too short to be looked for anywhere. */
const shortPattern = (short: readonly string[]): RegExp =>
  new RegExp(
    `((?:password|passwd|pwd|secret|token|passphrase|key)["']?\\s{0,4}[=: ]\\s{0,4}["']?)(?:${short.map(escaped).join('|')})(?![A-Za-z0-9])`,
    'gi',
  )

function formsOf(secret: string): readonly string[] {
  const trimmed = secret.trim()
  const lines = secret.split(/\r?\n/).map(line => line.trim())
  const parts = lines.length > 1 ? lines.filter(line => line.length >= SHORTEST_LINE) : []
  const plain = [secret, trimmed, ...parts]
  return plain.flatMap(text => [text, ...urlForms(text), JSON.stringify(text).slice(1, -1), ...base64Forms(text)])
}

function urlForms(text: string): readonly string[] {
  try {
    const encoded = encodeURIComponent(text)
    // Encoders differ in !'()* and in the letter case of the hexadecimal digits.
    const strict = encoded.replace(/[!'()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    const lower = (s: string): string => s.replace(/%[0-9A-F]{2}/g, h => h.toLowerCase())
    const form = strict.replaceAll('%20', '+')
    return [encoded, encodeURI(text), strict, form, lower(encoded), lower(strict)]
  } catch {
    return [] // half of a surrogate pair: there is no URL form
  }
}

/** Base64 of the text wherever it begins in a group of three bytes; first and last characters mix with their neighbours and go. */
function base64Forms(text: string): readonly string[] {
  const bytes = Buffer.from(text)
  const inner = [0, 1, 2].map(shift => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const first = Math.ceil((shift * 8) / 6)
    const last = Math.floor(((shift + bytes.length) * 8) / 6)
    return encoded.slice(first, last)
  })
  const both = inner.flatMap(s => [s, s.replaceAll('+', '-').replaceAll('/', '_')])
  return both.filter(s => s.length >= SHORTEST_BASE64)
}

/** Password of a URL as written and decoded; empty if there is none. */
export function urlPasswords(text: string): readonly string[] {
  const match = /:\/\/[^\s:@/]{0,256}:([^\s@/]{1,1024})@/.exec(text)
  if (!match) return []
  try {
    return [match[1], decodeURIComponent(match[1])]
  } catch {
    return [match[1]]
  }
}
