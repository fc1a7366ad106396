/** JSON as JSON.parse gives it, except that integers a double cannot hold exactly are bigint. */
export type ExactJson = null | boolean | number | bigint | string | readonly ExactJson[] | { readonly [key: string]: ExactJson }

/** Any run of digits long enough to lose some in a double (2^53 has 16); may stand in a string, which only costs time. */
const LONG_DIGITS = /\d{16}/

/**
 * JSON.parse that keeps the digits of large integers. JSON.parse itself does the work and reports errors; only text with a long
 * run of digits is read a second time. Throws SyntaxError.
 */
export function parseExact(text: string): ExactJson {
  const value = JSON.parse(text) as ExactJson
  return LONG_DIGITS.test(text) ? new Rereader(text).read() : value
}

/** Reads text that JSON.parse has accepted, so nothing needs checking. */
class Rereader {
  #at = 0
  constructor(readonly text: string) {}

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

  #number(): number | bigint {
    const start = this.#at
    while (this.#at < this.text.length && '+-.eE0123456789'.includes(this.text[this.#at])) this.#at++
    const digits = this.text.slice(start, this.#at)
    const value = Number(digits)
    return Number.isSafeInteger(value) || !/^-?\d+$/.test(digits) ? value : BigInt(digits)
  }
}
