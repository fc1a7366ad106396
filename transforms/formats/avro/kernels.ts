import type {
  BoolColumn,
  DictionaryColumn,
  F32Column,
  F64Column,
  FixedColumn,
  I32Column,
  I64Column,
  VarColumn,
} from '../../../runtime/column'
import { type Kernel, type Rows, spoil } from './kernel'
import { INCOMPATIBLE, MALFORMED, PARKED, readInt, readLength, readLong } from './varint'

/** Strings up to this many bytes are copied by a loop, longer ones by a call: about where the two cost the same. */
const LOOP_COPY = 48
const WORD = 4
const FEW_ROWS = 16

export class BoolKernel implements Kernel {
  constructor(readonly column: BoolColumn) {}
  read({ bytes, pos, ends }: Rows, n: number, row: number): void {
    const out = this.column.values
    for (let i = 0; i < n; i++) {
      const p = pos[i]
      out[row + i] = 0
      if (p < ends[i] && bytes[p] < 2) {
        out[row + i] = bytes[p]
        pos[i] = p + 1
      } else spoil(pos, i)
    }
  }
}

/** int -> i32, date, time(ms). */
export class IntKernel implements Kernel {
  readonly #halves = new Int32Array(2)
  constructor(readonly column: I32Column) {}
  read({ bytes, pos, ends }: Rows, n: number, row: number): void {
    const out = this.column.values
    const halves = this.#halves
    for (let i = 0; i < n; i++) {
      const p = pos[i]
      const end = ends[i]
      if (p < end && bytes[p] < 128) {
        const v = bytes[p]
        out[row + i] = (v >>> 1) ^ -(v & 1)
        pos[i] = p + 1
      } else if (p + 1 < end && bytes[p + 1] < 128) {
        const v = (bytes[p] & 127) | (bytes[p + 1] << 7)
        out[row + i] = (v >>> 1) ^ -(v & 1)
        pos[i] = p + 2
      } else {
        out[row + i] = 0
        if (p >= PARKED) continue
        const next = readInt(bytes, p, end, halves)
        if (next < PARKED) out[row + i] = halves[0]
        pos[i] = next
      }
    }
  }
}

/** int or long -> i64, timestamp, time(us). */
export class LongKernel implements Kernel {
  readonly #halves = new Int32Array(2)
  /** `narrow`: the writer's type is int, so a value of more than 32 bits is malformed. */
  constructor(
    readonly column: I64Column,
    readonly narrow = false,
  ) {}
  read({ bytes, pos, ends }: Rows, n: number, row: number): void {
    const out = this.column.halves
    const halves = this.#halves
    const wide = !this.narrow
    for (let i = 0; i < n; i++) {
      const p = pos[i]
      const end = ends[i]
      const k = 2 * (row + i)
      if (p < end && bytes[p] < 128) {
        const v = bytes[p]
        const sign = -(v & 1)
        out[k] = (v >>> 1) ^ sign
        out[k + 1] = sign
        pos[i] = p + 1
      } else if (
        wide &&
        p + 5 < end &&
        bytes[p + 5] < 128 &&
        (bytes[p] & bytes[p + 1] & bytes[p + 2] & bytes[p + 3] & bytes[p + 4]) > 127
      ) {
        // six bytes: every timestamp in milliseconds between 1979 and 2527, hence inlined
        const top = bytes[p + 4] & 127
        const lo =
          (bytes[p] & 127) |
          ((bytes[p + 1] & 127) << 7) |
          ((bytes[p + 2] & 127) << 14) |
          ((bytes[p + 3] & 127) << 21) |
          (top << 28)
        const hi = (top >>> 4) | (bytes[p + 5] << 3)
        const sign = -(lo & 1)
        out[k] = ((lo >>> 1) | (hi << 31)) ^ sign
        out[k + 1] = (hi >>> 1) ^ sign
        pos[i] = p + 6
      } else if (p + 3 < end && (bytes[p + 1] & bytes[p + 2] & bytes[p + 3]) < 128) {
        // two to four bytes: ids and counts
        let v = bytes[p] & 127
        let at = p + 1
        for (let shift = 7; ; shift += 7) {
          const byte = bytes[at++]
          v |= (byte & 127) << shift
          if (byte < 128) break
        }
        const sign = -(v & 1)
        out[k] = (v >>> 1) ^ sign
        out[k + 1] = sign
        pos[i] = at
      } else {
        out[k] = 0
        out[k + 1] = 0
        if (p >= PARKED) continue
        const next = wide ? readLong(bytes, p, end, halves) : readInt(bytes, p, end, halves)
        if (next < PARKED) {
          out[k] = halves[0]
          out[k + 1] = halves[1]
        }
        pos[i] = next
      }
    }
  }
}

/** float -> f32 or, promoted, f64. */
export class FloatKernel implements Kernel {
  constructor(readonly column: F32Column | F64Column) {}
  read({ view, pos, ends }: Rows, n: number, row: number): void {
    const out = this.column.values
    for (let i = 0; i < n; i++) {
      const p = pos[i]
      if (p + 4 <= ends[i]) {
        out[row + i] = view.getFloat32(p, true)
        pos[i] = p + 4
      } else {
        out[row + i] = 0
        spoil(pos, i)
      }
    }
  }
}

export class DoubleKernel implements Kernel {
  constructor(readonly column: F64Column) {}
  read({ view, pos, ends }: Rows, n: number, row: number): void {
    const out = this.column.values
    for (let i = 0; i < n; i++) {
      const p = pos[i]
      if (p + 8 <= ends[i]) {
        out[row + i] = view.getFloat64(p, true)
        pos[i] = p + 8
      } else {
        out[row + i] = 0
        spoil(pos, i)
      }
    }
  }
}

/** int or long promoted to f32 or f64, rounded to the nearest as the specification allows. */
export class IntToFloatKernel implements Kernel {
  readonly #halves = new Int32Array(2)
  constructor(
    readonly column: F32Column | F64Column,
    readonly narrow: boolean,
  ) {}
  read({ bytes, pos, ends }: Rows, n: number, row: number): void {
    const out = this.column.values
    const halves = this.#halves
    const read = this.narrow ? readInt : readLong
    for (let i = 0; i < n; i++) {
      out[row + i] = 0
      if (pos[i] >= PARKED) continue
      const next = read(bytes, pos[i], ends[i], halves)
      if (next < PARKED) out[row + i] = halves[1] * 4294967296 + (halves[0] >>> 0)
      pos[i] = next
    }
  }
}

/**
 * string or bytes -> utf8 or bytes. Bytes are kept as they come: a string that is not valid UTF-8 is stored unchanged. The lengths
 * are read first, so that exactly the room they need is asked for, which is several times less than the bytes of the records.
 */
export class StringKernel implements Kernel {
  readonly #halves = new Int32Array(2)
  constructor(readonly column: VarColumn) {}

  read(rows: Rows, n: number, row: number): void {
    this.#lengths(rows, n, row)
    const { offsets } = this.column
    this.column.reserveData(row, offsets[row + n], n)
    this.#copy(rows, n, row)
  }

  /** Writes the offsets and moves the positions behind the strings. */
  #lengths({ bytes, pos, ends }: Rows, n: number, row: number): void {
    const { offsets } = this.column
    const halves = this.#halves
    let q = offsets[row]
    for (let i = 0; i < n; i++) {
      let p = pos[i]
      const end = ends[i]
      let length = 0
      const first = p < end ? bytes[p] : 255
      if (first < 128 && (first & 1) === 0) {
        length = first >>> 1
        p++
        if (length > end - p) {
          p = MALFORMED
          length = 0
        }
      } else if (p < PARKED) {
        p = readLength(bytes, p, end, halves)
        if (p < PARKED) length = halves[0]
      }
      q += length
      pos[i] = p + length
      offsets[row + i + 1] = q
    }
  }

  /**
   * Copies what lies before the positions. Short strings go in steps of four bytes, half the time of single ones; the last step may
   * copy up to three bytes that are not the string's, over which the next string is written.
   */
  #copy({ bytes, view, pos }: Rows, n: number, row: number): void {
    const { offsets, data } = this.column
    // a view costs more than it saves for the few elements of a list
    const out = n < FEW_ROWS ? view : new DataView(data.buffer, data.byteOffset, data.length)
    const lastIn = n < FEW_ROWS ? -1 : bytes.length - WORD
    const lastOut = data.length - WORD
    for (let i = 0; i < n; i++) {
      let q = offsets[row + i]
      const stop = offsets[row + i + 1]
      if (stop === q) continue
      let p = pos[i] - (stop - q)
      if (stop - q > LOOP_COPY) data.set(bytes.subarray(p, pos[i]), q)
      else if (pos[i] <= lastIn && stop <= lastOut) {
        for (; q < stop; q += WORD, p += WORD) out.setInt32(q, view.getInt32(p, true), true)
      } else while (q < stop) data[q++] = bytes[p++]
    }
  }
}

export class FixedKernel implements Kernel {
  constructor(readonly column: FixedColumn) {}
  read({ bytes, pos, ends }: Rows, n: number, row: number): void {
    const { data, width } = this.column
    for (let i = 0; i < n; i++) {
      const p = pos[i]
      const q = (row + i) * width
      if (p + width <= ends[i]) {
        for (let k = 0; k < width; k++) data[q + k] = bytes[p + k]
        pos[i] = p + width
      } else {
        data.fill(0, q, q + width)
        spoil(pos, i)
      }
    }
  }
}

/** enum -> dictionary. `ids[writer's index]` is the reader's, -1 where the reader has neither the symbol nor a default. */
export class EnumKernel implements Kernel {
  readonly #halves = new Int32Array(2)
  constructor(
    readonly column: DictionaryColumn,
    readonly ids: Int32Array,
  ) {}
  read({ bytes, pos, ends }: Rows, n: number, row: number): void {
    const out = this.column.ids
    const { ids } = this
    const halves = this.#halves
    for (let i = 0; i < n; i++) {
      out[row + i] = 0
      if (pos[i] >= PARKED) continue
      pos[i] = readInt(bytes, pos[i], ends[i], halves)
      if (pos[i] >= PARKED) continue
      const index = halves[0]
      if (index < 0 || index >= ids.length) spoil(pos, i)
      else if (ids[index] < 0) spoil(pos, i, INCOMPATIBLE)
      else out[row + i] = ids[index]
    }
  }
}
