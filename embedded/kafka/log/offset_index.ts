/** Bytes of log between two entries at least; Kafka's default for index.interval.bytes. */
const INTERVAL_BYTES = 4096

/** Sparse map from offset to byte position in one segment: at most one entry per 4 KiB, 8 bytes each, in memory only. */
export class OffsetIndex {
  readonly #baseOffset: number
  #offsets = new Uint32Array(64)
  #positions = new Uint32Array(64)
  #length = 0

  constructor(baseOffset: number) {
    this.#baseOffset = baseOffset
  }

  /** Call for each batch in order; keeps the entry only where the interval has passed. */
  add(offset: number, position: number): void {
    const last = this.#length - 1
    if (last >= 0 && position - (this.#positions[last] ?? 0) < INTERVAL_BYTES) return
    if (this.#length === this.#offsets.length) {
      this.#offsets = grown(this.#offsets)
      this.#positions = grown(this.#positions)
    }
    this.#offsets[this.#length] = offset - this.#baseOffset
    this.#positions[this.#length] = position
    this.#length++
  }

  /** Position of an indexed batch that starts at or before `offset`; 0 where there is none. */
  floor(offset: number): number {
    const relative = offset - this.#baseOffset
    const found = this.#search(entry => (this.#offsets[entry] ?? 0) <= relative)
    return found < 0 ? 0 : (this.#positions[found] ?? 0)
  }

  /** Offset of the first indexed batch at or after `position`; undefined beyond the last entry. */
  offsetAtOrAfter(position: number): number | undefined {
    const next = this.#search(entry => (this.#positions[entry] ?? 0) < position) + 1
    return next < this.#length ? this.#baseOffset + (this.#offsets[next] ?? 0) : undefined
  }

  /** Last entry for which `before` holds, -1 if none; `before` must be true up to some entry and false after it. */
  #search(before: (entry: number) => boolean): number {
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (before(middle)) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

const grown = (array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> => {
  const larger = new Uint32Array(array.length * 2)
  larger.set(array)
  return larger
}
