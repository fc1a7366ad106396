/** The request does not follow its own schema: the connection is closed, as Apache Kafka does. */
export class MalformedRequest extends Error {
  override name = 'MalformedRequest'
}

const TWO_32 = 4_294_967_296

/**
 * Reads the primitive types of the Kafka protocol from one request. With `flexible` set (KIP-482), strings, bytes and arrays are
 * in their compact form and `tags()` skips a tagged field section; otherwise `tags()` reads nothing. So one handler serves both.
 * 64-bit integers are numbers: exact up to 2^53, which no offset, time or id of this broker passes.
 */
export class Reader {
  readonly #buffer: Buffer
  #position: number
  flexible = false

  constructor(buffer: Buffer, position = 0) {
    this.#buffer = buffer
    this.#position = position
  }

  get remaining(): number {
    return this.#buffer.length - this.#position
  }

  #take(bytes: number): number {
    const at = this.#position
    if (bytes < 0 || at + bytes > this.#buffer.length)
      throw new MalformedRequest(`needs ${bytes} bytes at ${at}, has ${this.remaining}`)
    this.#position = at + bytes
    return at
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  int8(): number {
    return this.#buffer.readInt8(this.#take(1))
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#take(2))
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#take(4))
  }

  int64(): number {
    const at = this.#take(8)
    return this.#buffer.readInt32BE(at) * TWO_32 + this.#buffer.readUInt32BE(at + 4)
  }

  uvarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#buffer.readUInt8(this.#take(1))
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new MalformedRequest('a varint of more than 5 bytes')
  }

  /** 16 bytes as 32 hex digits. */
  uuid(): string {
    const at = this.#take(16)
    return this.#buffer.toString('hex', at, at + 16)
  }

  string(): string {
    const value = this.nullableString()
    if (value === null) throw new MalformedRequest('null where a string is required')
    return value
  }

  nullableString(): string | null {
    const length = this.flexible ? this.uvarint() - 1 : this.int16()
    if (length < 0) return null
    const at = this.#take(length)
    return this.#buffer.toString('utf8', at, at + length)
  }

  bytes(): Buffer {
    const value = this.nullableBytes()
    if (value === null) throw new MalformedRequest('null where bytes are required')
    return value
  }

  /** A view into the request, not a copy: copy what outlives the request. */
  nullableBytes(): Buffer | null {
    const length = this.flexible ? this.uvarint() - 1 : this.int32()
    if (length < 0) return null
    const at = this.#take(length)
    return this.#buffer.subarray(at, at + length)
  }

  array<T>(element: () => T): T[] {
    return this.nullableArray(element) ?? []
  }

  nullableArray<T>(element: () => T): T[] | null {
    const length = this.flexible ? this.uvarint() - 1 : this.int32()
    if (length < 0) return null
    if (length > this.remaining) throw new MalformedRequest(`an array of ${length} elements in ${this.remaining} bytes`)
    const values: T[] = []
    for (let i = 0; i < length; i++) values.push(element())
    return values
  }

  tags(): void {
    if (!this.flexible) return
    for (let count = this.uvarint(); count > 0; count--) {
      this.uvarint()
      this.#take(this.uvarint())
    }
  }
}
