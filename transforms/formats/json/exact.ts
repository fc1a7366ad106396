/**
 * JSON as JSON.parse gives it, except for numbers that a double cannot hold: integers are bigint, and other numbers NumberText
 * where asked for.
 */
export type ExactJson =
  | null
  | boolean
  | number
  | bigint
  | string
  | NumberText
  | readonly ExactJson[]
  | { readonly [key: string]: ExactJson }

/** A number with a point or an exponent, as it was written. */
export class NumberText {
  constructor(readonly text: string) {}
}

/** Any run of digits long enough to lose some in a double (2^53 has 16); may stand in a string, which only costs time. */
const LONG_DIGITS = /\d[\d.]{15}/

/**
 * JSON.parse that keeps the digits of large integers, and with `texts` how other numbers are written. JSON.parse itself does the
 * work and reports errors; only text with a long run of digits, or all with `texts: 'all'`, is read a second time. Throws SyntaxError.
 */
export function parseExact(text: string, texts: 'none' | 'long' | 'all' = 'none'): ExactJson {
  const value = JSON.parse(text) as ExactJson
  return texts === 'all' || LONG_DIGITS.test(text) ? new Rereader(text, texts !== 'none').read() : value
}

/** The inverse: JSON text with all digits. */
export function exactText(value: ExactJson): string {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof NumberText) return value.text
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${(value as readonly ExactJson[]).map(exactText).join(',')}]`
  return `{${Object.entries(value)
    .map(([k, v]) => `${JSON.stringify(k)}:${exactText(v)}`)
    .join(',')}}`
}

/** True of `{...}` alone. */
export const isObject = (value: ExactJson): value is { readonly [key: string]: ExactJson } =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof NumberText)

/** Reads text that JSON.parse has accepted, so nothing needs checking and nothing nests deeper than JSON.parse allows. */
class Rereader {
  #at = 0
  constructor(
    readonly text: string,
    readonly texts: boolean,
  ) {}

  read(): ExactJson {
    switch (this.#peek()) {
      case '{':
        return this.#object()
      case '[':
        return this.#array()
      case '"':
        return JSON.parse(this.#string()) as string
      case 't':
        this.#at += 4
        return true
      case 'f':
        this.#at += 5
        return false
      case 'n':
        this.#at += 4
        return null
      default:
        return this.#number()
    }
  }

  /** Next character that is no white space. */
  #peek(): string {
    while (this.text.charCodeAt(this.#at) <= 32) this.#at++
    return this.text[this.#at]
  }

  #object(): ExactJson {
    const out: Record<string, ExactJson> = {}
    this.#at++
    while (this.#peek() !== '}') {
      if (this.text[this.#at] === ',') {
        this.#at++
        continue
      }
      const key = JSON.parse(this.#string()) as string
      this.#peek()
      this.#at++
      // as JSON.parse does: an own property, even under the name __proto__
      Object.defineProperty(out, key, { value: this.read(), enumerable: true, writable: true, configurable: true })
    }
    this.#at++
    return out
  }

  #array(): ExactJson {
    const out: ExactJson[] = []
    this.#at++
    while (this.#peek() !== ']') {
      if (this.text[this.#at] === ',') this.#at++
      else out.push(this.read())
    }
    this.#at++
    return out
  }

  /** The string's text with its quotes. */
  #string(): string {
    const start = this.#at++
    for (;;) {
      const code = this.text.charCodeAt(this.#at++)
      if (code === 0x5c) this.#at++
      else if (code === 0x22) return this.text.slice(start, this.#at)
    }
  }

  #number(): ExactJson {
    const start = this.#at
    while (this.#at < this.text.length && '+-.eE0123456789'.includes(this.text[this.#at])) this.#at++
    const written = this.text.slice(start, this.#at)
    const value = Number(written)
    if (!/^-?\d+$/.test(written)) return this.texts ? new NumberText(written) : value
    return Number.isSafeInteger(value) ? value : BigInt(written)
  }
}
