/** A growing buffer that Avro values are written to. Reused from row to row: `take` copies. */
export class Output {
  #buffer = Buffer.allocUnsafeSlow(1024)
  #view = new DataView(this.#buffer.buffer)
  /** Bytes written. */
  at = 0

  room(bytes: number): Buffer {
    if (this.at + bytes > this.#buffer.length) {
      const next = Buffer.allocUnsafeSlow(Math.max(this.at + bytes, this.#buffer.length * 2))
      this.#buffer.copy(next, 0, 0, this.at)
      this.#buffer = next
      this.#view = new DataView(next.buffer)
    }
    return this.#buffer
  }

  byte(value: number): void {
    this.room(1)[this.at++] = value
  }

  int(value: number): void {
    this.long(value, value >> 31)
  }

  /** Zig-zag varint of the 64-bit integer of these halves. */
  long(low: number, high: number): void {
    const buffer = this.room(10)
    const sign = high >> 31
    let lo = (low << 1) ^ sign
    let hi = ((high << 1) | (low >>> 31)) ^ sign
    let at = this.at
    while (hi !== 0 || lo >>> 0 > 127) {
      buffer[at++] = (lo & 127) | 128
      lo = (lo >>> 7) | (hi << 25)
      hi >>>= 7
    }
    buffer[at++] = lo
    this.at = at
  }

  bigint(value: bigint): void {
    this.long(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)))
  }

  float(value: number): void {
    this.room(4)
    this.#view.setFloat32(this.at, value, true)
    this.at += 4
  }

  double(value: number): void {
    this.room(8)
    this.#view.setFloat64(this.at, value, true)
    this.at += 8
  }

  /** `from[start .. end)` without its length. */
  raw(from: Uint8Array, start: number, end: number): void {
    const buffer = this.room(end - start)
    let at = this.at
    if (end - start > 48) buffer.set(from.subarray(start, end), at)
    else for (let p = start; p < end; ) buffer[at++] = from[p++]
    this.at += end - start
  }

  /** Length and bytes. */
  bytes(from: Uint8Array, start: number, end: number): void {
    this.int(end - start)
    this.raw(from, start, end)
  }

  string(text: string): void {
    const bytes = Buffer.byteLength(text)
    this.int(bytes)
    this.room(bytes).write(text, this.at)
    this.at += bytes
  }

  /** A copy of what stands in it. */
  take(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.at))
  }
}
