import type { RecordEnd } from './pages'

/**
 * RFC 4180: fields between delimiters, quoted where they hold one, a quote in a quoted field doubled, lines ended by CRLF or LF,
 * also inside quotes. A quote in the middle of an unquoted field is part of its text.
 *
 * Written here and not taken from a package because it works on the bytes: fields go into columns without becoming strings, and
 * a rejected record is kept as it stood in the file. Compared with csv-parse in the tests.
 */

const NEWLINE = 10

const FIELD_START = 0
const UNQUOTED = 1
const QUOTED = 2
const QUOTE_IN_QUOTED = 3

/** Ends of CSV records: a newline outside of quotes. */
export function csvEnd(delimiter: number, quote: number): RecordEnd {
  // the next quote, kept from record to record: without it each record of a file without quotes would search the whole block
  let searched: Buffer | null = null
  let quoteAt = 0
  const nextQuote = (buffer: Buffer, from: number): number => {
    if (searched !== buffer || quoteAt < from) {
      const found = buffer.indexOf(quote, from)
      quoteAt = found < 0 ? Number.POSITIVE_INFINITY : found
      searched = buffer
    }
    return quoteAt
  }
  return {
    newlines: 0,
    find(buffer, from) {
      this.newlines = 0
      const newline = buffer.indexOf(NEWLINE, from)
      if (newline < 0 || nextQuote(buffer, from) > newline) return newline
      let state = FIELD_START
      for (let i = from; i < buffer.length; i++) {
        const byte = buffer[i]
        if (state === QUOTED) {
          if (byte === quote) state = QUOTE_IN_QUOTED
          else if (byte === NEWLINE) this.newlines += 1
        } else if (byte === NEWLINE) return i
        else if (byte === delimiter) state = FIELD_START
        else if (byte === quote && state !== UNQUOTED) state = QUOTED
        else state = UNQUOTED
      }
      return -1
    },
  }
}

/** Fields of one record, found in place. Made once and used for record after record. */
export class CsvFields {
  count = 0
  /** Buffer in which field i stands: the record's own, or a scratch one where doubled quotes were undone. */
  readonly buffer: Buffer[] = []
  readonly start: number[] = []
  readonly end: number[] = []
  readonly quoted: boolean[] = []

  constructor(
    private readonly delimiter: number,
    private readonly quote: number,
  ) {}

  /** False if the quotes are wrong: one that is not closed, or text after the closing one. */
  split(buffer: Buffer, from: number, to: number): boolean {
    this.count = 0
    let at = from
    for (;;) {
      if (at < to && buffer[at] === this.quote) {
        at = this.#quotedField(buffer, at + 1, to)
        if (at < 0) return false
      } else {
        let end = at
        while (end < to && buffer[end] !== this.delimiter) end += 1
        this.#add(buffer, at, end, false)
        at = end
      }
      if (at >= to) return true
      at += 1
    }
  }

  text(field: number): string {
    return this.buffer[field].toString('utf8', this.start[field], this.end[field])
  }

  /** Adds the field whose text begins at `from`; returns the index after its closing quote, or -1. */
  #quotedField(buffer: Buffer, from: number, to: number): number {
    let at = from
    let doubled = 0
    for (; at < to; at++) {
      if (buffer[at] !== this.quote) continue
      if (at + 1 >= to || buffer[at + 1] !== this.quote) break
      doubled += 1
      at += 1
    }
    if (at >= to || (at + 1 < to && buffer[at + 1] !== this.delimiter)) return -1
    if (doubled === 0) this.#add(buffer, from, at, true)
    else {
      const plain = Buffer.allocUnsafe(at - from - doubled)
      for (let i = from, n = 0; i < at; i++) {
        plain[n++] = buffer[i]
        if (buffer[i] === this.quote) i += 1
      }
      this.#add(plain, 0, plain.length, true)
    }
    return at + 1
  }

  #add(buffer: Buffer, start: number, end: number, quoted: boolean): void {
    this.buffer[this.count] = buffer
    this.start[this.count] = start
    this.end[this.count] = end
    this.quoted[this.count] = quoted
    this.count += 1
  }
}
