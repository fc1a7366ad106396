const FIRST_BLOCK = 512
/** Buffers at least this long are sent as they are instead of being copied into the current block. */
const BY_REFERENCE = 4096
const TWO_32 = 4_294_967_296

/**
 * Builds one response as a list of chunks, so that fetched record sets go to the socket without another copy.
 * `flexible` switches strings, bytes and arrays to their compact form and makes `tags()` write an empty section (see Reader).
 */
export class Writer {
  readonly #chunks: Buffer[] = []
  #block = Buffer.allocUnsafe(FIRST_BLOCK)
  #start = 0
  #position = 0
  #finished = 0
  flexible = false

  #reserve(bytes: number): number {
    if (this.#position + bytes > this.#block.length) {
      this.#closeChunk()
      this.#block = Buffer.allocUnsafe(Math.max(bytes, this.#block.length * 2))
      this.#start = 0
      this.#position = 0
    }
    const at = this.#position
    this.#position += bytes
    return at
  }

  #closeChunk(): void {
    if (this.#position > this.#start) {
      this.#chunks.push(this.#block.subarray(this.#start, this.#position))
      this.#finished += this.#position - this.#start
    }
    this.#start = this.#position
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#finished + this.#position - this.#start
  }

  boolean(value: boolean): void {
    this.int8(value ? 1 : 0)
  }

  int8(value: number): void {
    const at = this.#reserve(1)
    this.#block.writeInt8(value, at)
  }

  int16(value: number): void {
    const at = this.#reserve(2)
    this.#block.writeInt16BE(value, at)
  }

  int32(value: number): void {
    const at = this.#reserve(4)
    this.#block.writeInt32BE(value, at)
  }

  int64(value: number): void {
    const at = this.#reserve(8)
    const high = Math.floor(value / TWO_32)
    this.#block.writeInt32BE(high, at)
    this.#block.writeUInt32BE(value - high * TWO_32, at + 4)
  }

  uvarint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      const at = this.#reserve(1)
      this.#block[at] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    const at = this.#reserve(1)
    this.#block[at] = rest
  }

  /** 32 hex digits as 16 bytes. */
  uuid(hex: string): void {
    const at = this.#reserve(16)
    this.#block.write(hex, at, 16, 'hex')
  }

  string(value: string | null): void {
    const length = value === null ? -1 : Buffer.byteLength(value)
    if (this.flexible) this.uvarint(length + 1)
    else this.int16(length)
    if (value === null || length === 0) return
    const at = this.#reserve(length)
    this.#block.write(value, at, length, 'utf8')
  }

  bytes(value: Buffer | null): void {
    this.#bytesLength(value === null ? -1 : value.length)
    if (value !== null) this.raw(value)
  }

  #bytesLength(length: number): void {
    if (this.flexible) this.uvarint(length + 1)
    else this.int32(length)
  }

  /** The bytes themselves, without a length. Long ones are kept by reference and must not change until they are sent. */
  raw(value: Buffer): void {
    if (value.length < BY_REFERENCE) {
      const at = this.#reserve(value.length)
      value.copy(this.#block, at)
      return
    }
    this.#closeChunk()
    this.#chunks.push(value)
    this.#finished += value.length
  }

  array<T>(values: readonly T[], element: (value: T) => void): void {
    this.arrayLength(values.length)
    for (const value of values) element(value)
  }

  nullArray(): void {
    this.arrayLength(-1)
  }

  arrayLength(length: number): void {
    if (this.flexible) this.uvarint(length + 1)
    else this.int32(length)
  }

  tags(): void {
    if (this.flexible) this.uvarint(0)
  }

  /** All chunks in order; nothing may be written afterwards. */
  finish(): readonly Buffer[] {
    this.#closeChunk()
    return this.#chunks
  }
}
