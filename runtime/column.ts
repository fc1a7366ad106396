import { HEAP, type Memory } from './memory'
import type { DataType, Field } from './schema'

/**
 * Columns in Arrow's physical layout, with nulls as one byte a row (1 = null) because kernels and `take` stay one-liners that
 * way; the bitmap is made at the edge. A column grows by `reserve` and is filled in place up to `length`; once it is part of a
 * batch nobody writes to it.
 *
 * `layout` says how values lie in memory, `type` what they mean:
 *
 * | layout | types | values |
 * |---|---|---|
 * | bool | bool | Uint8Array, 0 or 1 |
 * | i32 | i32, date, time(ms) | Int32Array |
 * | i64 | i64, timestamp, time(us) | Int32Array of low, high halves (little endian) over a BigInt64Array |
 * | f32, f64 | f32, f64 | Float32Array, Float64Array |
 * | var | utf8, bytes, json | offsets Int32Array(length + 1) into data |
 * | fixed | fixed, uuid, decimal | `width` bytes a row |
 * | dictionary | dictionary | ids Int32Array into `dictionary` |
 * | list, map | list, map | offsets Int32Array(length + 1) into children |
 * | struct | struct | children of the same length |
 */
export type Column =
  | BoolColumn
  | I32Column
  | I64Column
  | F32Column
  | F64Column
  | VarColumn
  | FixedColumn
  | DictionaryColumn
  | ListColumn
  | MapColumn
  | StructColumn

export type Layout = Column['layout']

type Growable = Uint8Array | Int32Array | Float32Array | Float64Array

const grown = <T extends Growable>(old: T, make: (n: number) => T, capacity: number): T => {
  const next = make(capacity)
  next.set(old as never)
  return next
}

/** What all columns share: a type, a length, a capacity in rows and the null bytes. */
abstract class Base {
  length = 0
  capacity = 0
  /** One byte a row, 1 = null; null where the field is not nullable. */
  nulls: Uint8Array | null
  constructor(
    readonly type: DataType,
    readonly nullable: boolean,
    /** Where the column's arrays come from. */
    protected readonly memory: Memory = HEAP,
  ) {
    this.nulls = nullable ? new Uint8Array(0) : null
  }

  /** Makes room for `rows` more rows and, in `var` columns, `bytes` more bytes. Doubles, so appending stays linear. */
  reserve(rows: number, bytes = 0): void {
    const need = this.length + rows
    if (need > this.capacity) {
      const capacity = Math.max(need, this.capacity * 2, 16)
      if (this.nulls) this.nulls = grown(this.nulls, n => this.memory.uint8(n), capacity)
      this.grow(capacity)
      this.capacity = capacity
    }
    this.reserveBytes(bytes)
  }

  protected abstract grow(capacity: number): void
  protected reserveBytes(_bytes: number): void {}
}

export class BoolColumn extends Base {
  readonly layout = 'bool'
  values: Uint8Array = new Uint8Array(0)
  protected grow(capacity: number): void {
    this.values = grown(this.values, n => this.memory.uint8(n), capacity)
  }
}

export class I32Column extends Base {
  readonly layout = 'i32'
  values: Int32Array = new Int32Array(0)
  protected grow(capacity: number): void {
    this.values = grown(this.values, n => this.memory.int32(n), capacity)
  }
}

/** 64-bit integers as pairs of Int32 halves (row i: halves[2i] low, halves[2i + 1] high); `values` is a view of the same memory. */
export class I64Column extends Base {
  readonly layout = 'i64'
  halves: Int32Array = new Int32Array(0)
  protected grow(capacity: number): void {
    this.halves = grown(this.halves, n => this.memory.int32(n), capacity * 2)
  }
  /** The same memory as 64-bit integers, `length` rows. For edges (Arrow, tests); BigInt is too slow for kernels. */
  get values(): BigInt64Array {
    return new BigInt64Array(this.halves.buffer, this.halves.byteOffset, this.length)
  }
  /** Row as a double; exact up to 2^53. */
  number(row: number): number {
    return this.halves[2 * row + 1] * 4294967296 + (this.halves[2 * row] >>> 0)
  }
  /** Writes an integer-valued double, |value| <= 2^53. */
  setNumber(row: number, value: number): void {
    this.halves[2 * row] = value | 0
    // `| 0` takes a double modulo 2^32 whatever its size (ECMAScript ToInt32), so the low half is right for negatives too
    this.halves[2 * row + 1] = Math.floor(value / 4294967296)
  }
  bigint(row: number): bigint {
    return (BigInt(this.halves[2 * row + 1]) << 32n) | BigInt(this.halves[2 * row] >>> 0)
  }
  setBigint(row: number, value: bigint): void {
    this.halves[2 * row] = Number(BigInt.asIntN(32, value))
    this.halves[2 * row + 1] = Number(BigInt.asIntN(32, value >> 32n))
  }
}

export class F32Column extends Base {
  readonly layout = 'f32'
  values: Float32Array = new Float32Array(0)
  protected grow(capacity: number): void {
    this.values = grown(this.values, n => this.memory.float32(n), capacity)
  }
}

export class F64Column extends Base {
  readonly layout = 'f64'
  values: Float64Array = new Float64Array(0)
  protected grow(capacity: number): void {
    this.values = grown(this.values, n => this.memory.float64(n), capacity)
  }
}

/** Up to this much memory is taken for rows to come, from how long those before them are. */
const GUESS_BYTES = 8 * 1024 * 1024

/** Strings and byte strings: row i is data[offsets[i] .. offsets[i + 1]). A null row is empty. */
export class VarColumn extends Base {
  readonly layout = 'var'
  offsets: Int32Array = new Int32Array(1)
  data: Buffer = Buffer.alloc(0)
  protected grow(capacity: number): void {
    this.offsets = grown(this.offsets, n => this.memory.int32(n), capacity + 1)
  }
  protected override reserveBytes(bytes: number): void {
    const used = this.offsets[this.length]
    if (used + bytes <= this.data.length) return
    const next = this.memory.bytes(Math.max(used + bytes, this.data.length * 2, 64))
    this.data.copy(next, 0, 0, used)
    this.data = next
  }
  /**
   * Makes room for the data of rows `row .. row + rows`, which ends at `end`; what lies before `row` is kept. Where the column has
   * room for more rows, these are taken to be as long, within bounds: one row may be a thousand times the others.
   */
  reserveData(row: number, end: number, rows: number): void {
    if (end <= this.data.length) return
    const used = this.offsets[row]
    const each = (end - used) / rows
    const all = Math.min(end + each * (this.capacity - row - rows) * 1.05, Math.max(2 * end, GUESS_BYTES))
    const next = this.memory.bytes(Math.ceil(Math.max(all, this.data.length * 1.25, 64)))
    this.data.copy(next, 0, 0, used)
    this.data = next
  }
  /** Row as a string, decoded as UTF-8. */
  string(row: number): string {
    return this.data.toString('utf8', this.offsets[row], this.offsets[row + 1])
  }
  /** Row's bytes, a view that must not be written to. */
  bytes(row: number): Buffer {
    return this.data.subarray(this.offsets[row], this.offsets[row + 1])
  }
}

export class FixedColumn extends Base {
  readonly layout = 'fixed'
  data: Buffer = Buffer.alloc(0)
  constructor(
    type: DataType,
    nullable: boolean,
    readonly width: number,
    memory: Memory = HEAP,
  ) {
    super(type, nullable, memory)
  }
  protected grow(capacity: number): void {
    const next = this.memory.bytes(capacity * this.width)
    next.fill(0, this.data.copy(next))
    this.data = next
  }
  bytes(row: number): Buffer {
    return this.data.subarray(row * this.width, (row + 1) * this.width)
  }
}

const closedSet = (type: DataType): readonly string[] => (type.kind === 'dictionary' ? (type.symbols ?? []) : [])

export class DictionaryColumn extends Base {
  readonly layout = 'dictionary'
  ids: Int32Array = new Int32Array(0)
  /** Distinct strings; ids index it. May grow between batches, never changes below its old length. */
  dictionary: string[]
  #index: Map<string, number> | null = null
  constructor(type: DataType, nullable: boolean, dictionary: readonly string[] = closedSet(type), memory: Memory = HEAP) {
    super(type, nullable, memory)
    this.dictionary = [...dictionary]
  }
  protected grow(capacity: number): void {
    this.ids = grown(this.ids, n => this.memory.int32(n), capacity)
  }
  /** Id of a string, added if new; -1 if the set is closed (an enum) and does not hold it. */
  idOf(value: string): number {
    this.#index ??= new Map(this.dictionary.map((s, i) => [s, i]))
    const known = this.#index.get(value)
    if (known !== undefined) return known
    if (this.type.kind === 'dictionary' && this.type.symbols) return -1
    this.dictionary.push(value)
    this.#index.set(value, this.dictionary.length - 1)
    return this.dictionary.length - 1
  }
}

export class ListColumn extends Base {
  readonly layout = 'list'
  offsets: Int32Array = new Int32Array(1)
  readonly child: Column
  constructor(type: DataType & { kind: 'list' }, nullable: boolean, memory: Memory = HEAP) {
    super(type, nullable, memory)
    this.child = createColumn(type.item, 0, memory)
  }
  protected grow(capacity: number): void {
    this.offsets = grown(this.offsets, n => this.memory.int32(n), capacity + 1)
  }
}

/** Keys are never null and keep their order; a repeated key is kept as it came. */
export class MapColumn extends Base {
  readonly layout = 'map'
  offsets: Int32Array = new Int32Array(1)
  readonly keys: VarColumn
  readonly child: Column
  constructor(type: DataType & { kind: 'map' }, nullable: boolean, memory: Memory = HEAP) {
    super(type, nullable, memory)
    this.keys = new VarColumn({ kind: 'utf8' }, false, memory)
    this.child = createColumn(type.value, 0, memory)
  }
  protected grow(capacity: number): void {
    this.offsets = grown(this.offsets, n => this.memory.int32(n), capacity + 1)
  }
}

/** A null struct has a row in every child too (null there where the child allows it, else the kind's zero). */
export class StructColumn extends Base {
  readonly layout = 'struct'
  readonly children: readonly Column[]
  constructor(type: DataType & { kind: 'struct' }, nullable: boolean, memory: Memory = HEAP) {
    super(type, nullable, memory)
    this.children = type.fields.map(f => createColumn(f, 0, memory))
  }
  protected grow(): void {}
  override reserve(rows: number, bytes = 0): void {
    super.reserve(rows, bytes)
    for (const child of this.children) child.reserve(rows, bytes)
  }
}

/** An empty column for a field, with room for `capacity` rows. */
export function createColumn(field: Pick<Field, 'type' | 'nullable'>, capacity = 0, memory: Memory = HEAP): Column {
  const column = empty(field.type, field.nullable, memory)
  if (capacity > 0) column.reserve(capacity)
  return column
}

function empty(type: DataType, nullable: boolean, memory: Memory): Column {
  switch (type.kind) {
    case 'bool':
      return new BoolColumn(type, nullable, memory)
    case 'i32':
    case 'date':
      return new I32Column(type, nullable, memory)
    case 'time':
      return type.unit === 'ms' ? new I32Column(type, nullable, memory) : new I64Column(type, nullable, memory)
    case 'i64':
    case 'timestamp':
      return new I64Column(type, nullable, memory)
    case 'f32':
      return new F32Column(type, nullable, memory)
    case 'f64':
      return new F64Column(type, nullable, memory)
    case 'utf8':
    case 'bytes':
    case 'json':
      return new VarColumn(type, nullable, memory)
    case 'uuid':
    case 'decimal':
      return new FixedColumn(type, nullable, 16, memory)
    case 'fixed':
      return new FixedColumn(type, nullable, type.size, memory)
    case 'dictionary':
      return new DictionaryColumn(type, nullable, type.symbols, memory)
    case 'list':
      return new ListColumn(type, nullable, memory)
    case 'map':
      return new MapColumn(type, nullable, memory)
    case 'struct':
      return new StructColumn(type, nullable, memory)
  }
}
