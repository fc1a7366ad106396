import type { Column, ListColumn, MapColumn } from '../../../runtime/column'
import { Block } from './blocks'
import { blank, Cursor, type Kernel, type Rows, reserveDeep, setLength } from './kernel'
import { StringKernel } from './kernels'
import { INCOMPATIBLE, MALFORMED, NULL_REFUSED, PARKED, readInt } from './varint'

/** Reads the fields of a record one after the other; the order is the writer's. */
export class RecordKernel implements Kernel {
  constructor(readonly steps: readonly Kernel[]) {}
  read(rows: Rows, n: number, row: number): void {
    for (const step of this.steps) step.read(rows, n, row)
  }
}

/**
 * A union of null and one other type. Rows that are null are parked while the other type's kernel runs over all rows. `refuse`:
 * the reader's field is not nullable, so a null makes the row bad.
 */
export class NullableKernel implements Kernel {
  #parked = new Int32Array(0)
  readonly #nullByte: number
  readonly #valueByte: number
  constructor(
    readonly column: Column,
    readonly inner: Kernel,
    nullAt: number,
    readonly refuse: boolean,
  ) {
    // zig-zag: branch 0 is byte 0, branch 1 is byte 2
    this.#nullByte = 2 * nullAt
    this.#valueByte = 2 - this.#nullByte
  }

  read(rows: Rows, n: number, row: number): void {
    const { bytes, pos, ends } = rows
    const nulls = this.column.nulls
    if (this.#parked.length < n) this.#parked = new Int32Array(Math.max(n, 64))
    const parked = this.#parked
    let any = 0
    for (let i = 0; i < n; i++) {
      const p = pos[i]
      let isNull = 0
      parked[i] = 0
      if (p < ends[i]) {
        const byte = bytes[p]
        if (byte === this.#valueByte) pos[i] = p + 1
        else if (byte !== this.#nullByte) pos[i] = MALFORMED
        else if (this.refuse) pos[i] = NULL_REFUSED
        else {
          isNull = 1
          any = 1
          parked[i] = p + 1
          pos[i] = PARKED
        }
      } else {
        isNull = 1
        if (p < PARKED) pos[i] = MALFORMED
      }
      if (nulls) nulls[row + i] = isNull
    }
    this.inner.read(rows, n, row)
    if (any) for (let i = 0; i < n; i++) if (parked[i] > 0) pos[i] = parked[i]
  }
}

/** A writer's type that is never null into a nullable column. */
export class PresentKernel implements Kernel {
  constructor(
    readonly column: Column,
    readonly inner: Kernel,
  ) {}
  read(rows: Rows, n: number, row: number): void {
    const nulls = this.column.nulls
    if (nulls) for (let i = 0; i < n; i++) nulls[row + i] = rows.pos[i] < PARKED ? 0 : 1
    this.inner.read(rows, n, row)
  }
}

/** Writer's type null: no bytes, no value. */
export class NullKernel implements Kernel {
  constructor(readonly column: Column) {}
  read(_rows: Rows, n: number, row: number): void {
    blank(this.column, row, n)
  }
}

/** Any other union of the writer, row by row. `branches`: null where the reader cannot take that branch, 'null' for null itself. */
export class UnionKernel implements Kernel {
  readonly #cursor = new Cursor()
  readonly #halves = new Int32Array(2)
  constructor(
    readonly column: Column,
    readonly branches: readonly (Kernel | 'null' | null)[],
  ) {}

  read(rows: Rows, n: number, row: number): void {
    const cursor = this.#cursor
    cursor.over(rows)
    for (let i = 0; i < n; i++) {
      let p = rows.pos[i]
      if (p < PARKED) {
        cursor.ends[0] = rows.ends[i]
        p = this.#one(p, row + i)
        rows.pos[i] = p
      } else blank(this.column, row + i, 1)
    }
  }

  #one(p: number, row: number): number {
    const cursor = this.#cursor
    let at = readInt(cursor.bytes, p, cursor.ends[0], this.#halves)
    const branch = at < PARKED ? this.branches[this.#halves[0]] : undefined
    if (branch === undefined) at = MALFORMED
    else if (branch === null) at = INCOMPATIBLE
    else if (branch === 'null') {
      if (!this.column.nullable) at = NULL_REFUSED
    } else {
      cursor.pos[0] = at
      branch.read(cursor, 1, row)
      return cursor.pos[0]
    }
    blank(this.column, row, 1)
    return at
  }
}

/** What arrays and maps share: blocks of elements, each read by one or two kernels into child columns. */
abstract class Repeated implements Kernel {
  readonly #cursor = new Cursor()
  readonly #block = new Block()
  protected abstract readonly offsets: Int32Array
  /** `min`: fewest bytes of an element. */
  constructor(
    readonly elements: readonly { readonly column: Column; readonly kernel: Kernel }[],
    readonly min: number,
  ) {}

  read(rows: Rows, n: number, row: number): void {
    const offsets = this.offsets
    const cursor = this.#cursor
    cursor.over(rows)
    let q = offsets[row]
    for (let i = 0; i < n; i++) {
      const p = rows.pos[i]
      if (p < PARKED) {
        cursor.pos[0] = p
        cursor.ends[0] = rows.ends[i]
        const after = this.#blocks(q)
        rows.pos[i] = cursor.pos[0]
        // elements of a bad row are written over by the next row's
        if (cursor.pos[0] < PARKED) q = after
      }
      offsets[row + i + 1] = q
    }
  }

  /** Reads all blocks at the cursor into rows from q on; returns the row after them. */
  #blocks(q: number): number {
    const { pos, ends, bytes } = this.#cursor
    const block = this.#block
    let at = q
    for (;;) {
      pos[0] = block.read(bytes, pos[0], ends[0], this.min)
      if (pos[0] >= PARKED || block.count === 0) return at
      const { stop } = block
      this.#room(at, block.count)
      for (const last = at + block.count; at < last && pos[0] < PARKED; at++) {
        for (const { kernel } of this.elements) kernel.read(this.#cursor, 1, at)
      }
      if (pos[0] >= PARKED) return at
      // a block that lies about its size would mean something else to a reader that skips it
      if (stop >= 0 && pos[0] !== stop) pos[0] = MALFORMED
    }
  }

  #room(row: number, count: number): void {
    for (const { column } of this.elements) {
      if (row + count <= column.capacity) continue
      setLength(column, row)
      column.reserve(count)
    }
  }
}

export class ListKernel extends Repeated {
  constructor(
    readonly column: ListColumn,
    item: Kernel,
    min: number,
  ) {
    super([{ column: column.child, kernel: item }], min)
  }
  protected get offsets(): Int32Array {
    return this.column.offsets
  }
}

export class MapKernel extends Repeated {
  constructor(
    readonly column: MapColumn,
    value: Kernel,
    min: number,
  ) {
    super(
      [
        { column: column.keys, kernel: new StringKernel(column.keys) },
        { column: column.child, kernel: value },
      ],
      min + 1,
    )
  }
  protected get offsets(): Int32Array {
    return this.column.offsets
  }
}

/** A reader's field that the writer does not have: its default, read from its own Avro bytes for every row. */
export class DefaultKernel implements Kernel {
  readonly #cursor = new Cursor()
  constructor(
    readonly column: Column,
    readonly bytes: Buffer,
    readonly inner: Kernel,
  ) {
    this.#cursor.bytes = bytes
    this.#cursor.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#cursor.ends[0] = bytes.length
  }
  read(rows: Rows, n: number, row: number): void {
    // these bytes are not part of the segment, for which room was made
    setLength(this.column, row)
    reserveDeep(this.column, n)
    for (let i = 0; i < n; i++) {
      // inside a null record there is no default either
      if (rows.pos[i] >= PARKED) {
        blank(this.column, row + i, 1)
        continue
      }
      this.#cursor.pos[0] = 0
      this.inner.read(this.#cursor, 1, row + i)
    }
  }
}
