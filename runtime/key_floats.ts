import { ConnectError } from './errors'

/**
 * A few doubles for each key, by dense key id: key k owns values[k * width .. (k + 1) * width). What detectors and calibrators keep
 * their state in: 8 bytes a number, no object a key.
 */
export class KeyFloats {
  values: Float64Array = new Float64Array(0)
  #keys = 0

  /** `initial`: what a new key starts with, one number for each of its doubles or one for all of them. */
  constructor(
    readonly width: number,
    readonly initial: readonly number[] = [0],
  ) {}

  get keys(): number {
    return this.#keys
  }

  /** Makes room for keys 0 .. keys - 1; never shrinks. Doubles, so that growing stays linear. */
  grow(keys: number): void {
    if (keys <= this.#keys) return
    const { width } = this
    if (keys * width > this.values.length) {
      const next = new Float64Array(Math.max(keys, this.#keys * 2, 16) * width)
      next.set(this.values.subarray(0, this.#keys * width))
      this.values = next
    }
    for (let i = this.#keys * width; i < keys * width; i++) this.values[i] = this.initial[i % width] ?? this.initial[0]
    this.#keys = keys
  }

  /** What was key ids[i] is key i from now on; the others are forgotten. */
  keep(ids: Int32Array): void {
    const { width, values } = this
    const next = new Float64Array(ids.length * width)
    for (let k = 0; k < ids.length; k++) next.set(values.subarray(ids[k] * width, (ids[k] + 1) * width), k * width)
    this.values = next
    this.#keys = ids.length
  }

  /** Takes the numbers of a snapshot. */
  load(numbers: Float64Array): void {
    this.values = numbers
    this.#keys = numbers.length / this.width
  }
}

/** Arrays of doubles as one buffer: their number, the length of each, then the numbers. All little endian. */
export function packFloats(arrays: readonly (KeyFloats | Float64Array)[]): Buffer {
  const numbers = arrays.map(a => (a instanceof KeyFloats ? a.values.subarray(0, a.keys * a.width) : a))
  const header = Float64Array.from([numbers.length, ...numbers.map(a => a.length)])
  return Buffer.concat([header, ...numbers].map(a => Buffer.from(a.buffer, a.byteOffset, a.byteLength)))
}

/** The inverse: fills the arrays it is given. Throws D001_MALFORMED where the bytes were not packed from such arrays. */
export function unpackFloats(bytes: Buffer, arrays: readonly (KeyFloats | Float64Array)[]): void {
  const malformed = (): ConnectError => new ConnectError('D001_MALFORMED', 'not a snapshot of this state')
  if (bytes.length % 8 !== 0 || bytes.length === 0) throw malformed()
  const all = new Float64Array(bytes.length / 8)
  Buffer.from(all.buffer).set(bytes)
  if (all[0] !== arrays.length || all.length <= arrays.length) throw malformed()
  const lengths = arrays.map((_, i) => all[i + 1])
  const fits = arrays.every((a, i) =>
    a instanceof KeyFloats ? Number.isInteger(lengths[i] / a.width) && lengths[i] >= 0 : lengths[i] === a.length,
  )
  if (!fits || lengths.reduce((sum, n) => sum + n, arrays.length + 1) !== all.length) throw malformed()
  let at = arrays.length + 1
  arrays.forEach((a, i) => {
    const part = all.slice(at, at + lengths[i])
    at += lengths[i]
    if (a instanceof KeyFloats) a.load(part)
    else a.set(part)
  })
}
