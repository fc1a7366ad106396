import avro from 'avsc'

/** A record with every kind of field that Avro has, its values, and what a reader of ClickHouse must see of each. */

export type Row = Record<string, unknown>

/** 64-bit integers as BigInt: avsc's own are doubles. */
const long = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (n: bigint) => {
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64LE(n)
    return buffer
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (n: unknown) => typeof n === 'bigint',
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
})

/** Unions carry the name of their branch, so that a value says which one it is; logical types show the type beneath. */
export const avscType = (schema: unknown): avro.Type =>
  avro.Type.forSchema(schema as avro.Schema, {
    wrapUnions: true,
    typeHook: part => ((typeof part === 'object' && 'type' in part ? part.type : part) === 'long' ? long : undefined),
  })

interface Spec {
  readonly name: string
  readonly avro: unknown
  /** A value of this row. */
  readonly value: (random: Random) => unknown
  /** SQL over the column, and what it gives for a value. Default: the column itself, and the value as JSON has it. */
  readonly sql?: string
  readonly seen?: (value: never) => unknown
}

/** Seeded, so that a failure can be looked at again (mulberry32). */
export class Random {
  #state: number
  constructor(seed: number) {
    this.#state = seed
  }
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  below(n: number): number {
    return Math.floor(this.next() * n)
  }
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]
  }
  list<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.below(most + 1) }, make)
  }
  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)))
  }
}

const INTS = [0, 1, -1, 63, 64, -65, 8_191, 1_000_000, 2_147_483_647, -2_147_483_648]
const LONGS = [0n, 1n, -1n, 300n, -(2n ** 53n) - 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]
const DOUBLES = [0, -0, 0.1 + 0.2, -1.5e-300, 4.9e-324, 1.7976931348623157e308, Number.NaN, Infinity, -Infinity]
const FINITE = [0.5, -0.25, 1e-7, 51.846000000000004]
const FLOATS = [0, -0, 1.5, Math.fround(0.1), Math.fround(3.4e38), Number.NaN, -Infinity]
const STRINGS = ['', 'a', 'ä ö ü', '漢字 \u{1f680}', 'line\nbreak\t"quote" \\', '\u0000inside\u0000', 'x'.repeat(300)]
/** 1900-01-02 to 2299-12-30: what DateTime64 holds. */
const DAYS = [0, 1, -1, -25_566, 120_528, 20_000]
const MS = [0n, -1n, 1_700_000_000_123n, -2_208_902_400_000n, 10_413_619_200_000n]
const US = MS.map(n => n * 1000n + 7n)
/** In nanoseconds ClickHouse counts from 1900 to 2262. */
const NS = [0n, 1n, 1_700_000_000_123_456_789n, -2_208_900_000_000_000_001n, 9_000_000_000_000_000_000n]
const UUIDS = [
  '00112233-4455-6677-8899-aabbccddeeff',
  'ffffffff-0000-4000-8000-000000000001',
  '61f0c404-5cb3-11e7-907b-a6006ad3dba0',
]

const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex')
const text = (v: unknown): string => String(v)
const nullable = (value: unknown, branch: string, r: Random): unknown => (r.below(3) === 0 ? null : { [branch]: value })
const inner = (value: unknown): unknown => (value === null ? null : Object.values(value as object)[0])

const doubleText = (v: number): unknown => (Number.isNaN(v) ? 'nan' : v === Infinity ? 'inf' : v === -Infinity ? '-inf' : v)
const bits64 = (v: number): string => {
  const b = Buffer.alloc(8)
  b.writeDoubleBE(v)
  return Number.isNaN(v) ? 'NaN' : b.toString('hex')
}
const bits32 = (v: number): string => {
  const b = Buffer.alloc(4)
  b.writeFloatBE(v)
  return Number.isNaN(v) ? 'NaN' : b.toString('hex')
}

/** Two's complement, big endian, in as few bytes as it takes, or in `size`. */
function unscaled(value: bigint, size?: number): Buffer {
  let length = size ?? 1
  if (size === undefined) while (value >= 1n << BigInt(8 * length - 1) || value < -(1n << BigInt(8 * length - 1))) length++
  const digits = BigInt.asUintN(8 * length, value)
    .toString(16)
    .padStart(2 * length, '0')
  return Buffer.from(digits, 'hex')
}
export const unscaledOf = (bytes: Uint8Array): bigint =>
  bytes.length === 0 ? 0n : BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex(bytes)}`))
const decimalText =
  (scale: number) =>
  (bytes: Uint8Array): string => {
    const value = unscaledOf(bytes)
    const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0')
    return `${value < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  }
const uuidText = (bytes: Uint8Array): string => hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')

const DECIMALS = [0n, 1n, -1n, 12_345_678n, -99_999_999_999_999_999_999n, 99_999_999_999_999_999_999n, 127n, 128n, -129n]
const point = {
  type: 'record',
  name: 'Point',
  fields: [
    { name: 'x', type: 'int' },
    { name: 'y', type: ['null', 'string'] },
  ],
}
const pointOf = (r: Random): Row => ({ x: r.pick(INTS), y: nullable(r.pick(STRINGS), 'string', r) })
const pointSeen = (p: { x: number; y: unknown }): Row => ({ x: p.x, y: inner(p.y) })
const list = (n: number): unknown => (n <= 0 ? null : { 'all.types.Chain': { n, next: list(n - 1) } })

export const SPECS: readonly Spec[] = [
  { name: 'boolean', avro: 'boolean', value: r => r.below(2) === 1 },
  { name: 'int', avro: 'int', value: r => r.pick(INTS) },
  { name: 'long', avro: 'long', value: r => r.pick(LONGS), seen: text },
  {
    name: 'float',
    avro: 'float',
    value: r => r.pick(FLOATS),
    sql: `if(isNaN(float), 'NaN', leftPad(lower(hex(reinterpretAsUInt32(float))), 8, '0'))`,
    seen: bits32,
  },
  {
    name: 'double',
    avro: 'double',
    value: r => r.pick(DOUBLES),
    sql: `if(isNaN(double), 'NaN', leftPad(lower(hex(reinterpretAsUInt64(double))), 16, '0'))`,
    seen: bits64,
  },
  { name: 'string', avro: 'string', value: r => r.pick(STRINGS) },
  { name: 'bytes', avro: 'bytes', value: r => r.bytes(r.pick([0, 1, 16, 200])), sql: 'lower(hex(bytes))', seen: hex },

  { name: 'date', avro: { type: 'int', logicalType: 'date' }, value: r => r.pick(DAYS), sql: 'toInt32(date)' },
  { name: 'time_ms', avro: { type: 'int', logicalType: 'time-millis' }, value: r => r.pick([0, 1, 86_399_999]) },
  { name: 'time_us', avro: { type: 'long', logicalType: 'time-micros' }, value: r => r.pick([0n, 86_399_999_999n]), seen: text },
  {
    name: 'ts_ms',
    avro: { type: 'long', logicalType: 'timestamp-millis' },
    value: r => r.pick(MS),
    sql: 'toUnixTimestamp64Milli(ts_ms)',
    seen: text,
  },
  {
    name: 'ts_us',
    avro: { type: 'long', logicalType: 'timestamp-micros' },
    value: r => r.pick(US),
    sql: 'toUnixTimestamp64Micro(ts_us)',
    seen: text,
  },
  {
    name: 'ts_ns',
    avro: { type: 'long', logicalType: 'timestamp-nanos' },
    value: r => r.pick(NS),
    sql: 'toUnixTimestamp64Nano(ts_ns)',
    seen: text,
  },
  {
    name: 'local_ms',
    avro: { type: 'long', logicalType: 'local-timestamp-millis' },
    value: r => r.pick(MS),
    sql: 'toUnixTimestamp64Milli(local_ms)',
    seen: text,
  },
  {
    name: 'local_us',
    avro: { type: 'long', logicalType: 'local-timestamp-micros' },
    value: r => r.pick(US),
    sql: 'toUnixTimestamp64Micro(local_us)',
    seen: text,
  },
  {
    name: 'decimal',
    avro: { type: 'bytes', logicalType: 'decimal', precision: 20, scale: 4 },
    value: r => unscaled(r.pick(DECIMALS)),
    sql: 'toDecimalString(decimal, 4)',
    seen: decimalText(4),
  },
  {
    name: 'decimal_fixed',
    avro: { type: 'fixed', name: 'Money', size: 10, logicalType: 'decimal', precision: 20, scale: 2 },
    value: r => unscaled(r.pick(DECIMALS), 10),
    sql: 'toDecimalString(decimal_fixed, 2)',
    seen: decimalText(2),
  },
  { name: 'uuid', avro: { type: 'string', logicalType: 'uuid' }, value: r => r.pick(UUIDS) },
  {
    name: 'uuid_fixed',
    avro: { type: 'fixed', name: 'Id', size: 16, logicalType: 'uuid' },
    value: r => Buffer.from(r.pick(UUIDS).replaceAll('-', ''), 'hex'),
    seen: uuidText,
  },
  {
    name: 'duration',
    avro: { type: 'fixed', name: 'Span', size: 12, logicalType: 'duration' },
    value: r => r.bytes(12),
    sql: 'lower(hex(duration))',
    seen: hex,
  },

  { name: 'null_boolean', avro: ['null', 'boolean'], value: r => nullable(true, 'boolean', r), seen: inner },
  { name: 'null_int', avro: ['null', 'int'], value: r => nullable(r.pick(INTS), 'int', r), seen: inner },
  {
    name: 'null_long',
    avro: ['null', 'long'],
    value: r => nullable(r.pick(LONGS), 'long', r),
    sql: 'toString(null_long)',
    seen: v => (v === null ? null : text(inner(v))),
  },
  {
    name: 'null_double',
    avro: ['null', 'double'],
    value: r => nullable(r.pick(DOUBLES), 'double', r),
    seen: v => (v === null ? null : doubleText(Object.values(v)[0] as number)),
  },
  { name: 'null_string', avro: ['null', 'string'], value: r => nullable(r.pick(STRINGS), 'string', r), seen: inner },
  { name: 'string_null', avro: ['string', 'null'], value: r => nullable(r.pick(STRINGS), 'string', r), seen: inner },
  {
    name: 'null_bytes',
    avro: ['null', 'bytes'],
    value: r => nullable(r.bytes(9), 'bytes', r),
    sql: 'lower(hex(null_bytes))',
    seen: v => (v === null ? null : hex(inner(v) as Buffer)),
  },
  {
    name: 'null_uuid',
    avro: ['null', { type: 'string', logicalType: 'uuid' }],
    value: r => nullable(r.pick(UUIDS), 'string', r),
    seen: inner,
  },
  {
    name: 'null_ts',
    avro: ['null', { type: 'long', logicalType: 'timestamp-millis' }],
    value: r => nullable(r.pick(MS), 'long', r),
    sql: 'toString(toUnixTimestamp64Milli(null_ts))',
    seen: v => (v === null ? null : text(inner(v))),
  },
  {
    name: 'null_enum',
    avro: ['null', { type: 'enum', name: 'Mood', symbols: ['GOOD', 'BAD'] }],
    value: r => nullable(r.pick(['GOOD', 'BAD']), 'all.types.Mood', r),
    seen: inner,
  },
  {
    name: 'null_fixed',
    avro: ['null', { type: 'fixed', name: 'Four', size: 4 }],
    value: r => nullable(r.bytes(4), 'all.types.Four', r),
    sql: 'lower(hex(null_fixed))',
    seen: v => (v === null ? null : hex(inner(v) as Buffer)),
  },

  {
    name: 'enumeration',
    avro: { type: 'enum', name: 'Suit', symbols: ['SPADES', 'HEARTS', 'CLUBS'] },
    value: r => r.pick(['SPADES', 'HEARTS', 'CLUBS']),
  },
  { name: 'fixed', avro: { type: 'fixed', name: 'Five', size: 5 }, value: r => r.bytes(5), sql: 'lower(hex(fixed))', seen: hex },
  {
    name: 'longs',
    avro: { type: 'array', items: 'long' },
    value: r => r.list(4, () => r.pick(LONGS)),
    seen: (v: bigint[]) => v.map(text),
  },
  {
    name: 'nullables',
    avro: { type: 'array', items: ['null', 'string'] },
    value: r => r.list(4, () => nullable(r.pick(STRINGS), 'string', r)),
    seen: (v: unknown[]) => v.map(inner),
  },
  {
    name: 'matrix',
    avro: { type: 'array', items: { type: 'array', items: 'int' } },
    value: r => r.list(3, () => r.list(3, () => r.pick(INTS))),
  },
  {
    name: 'points',
    avro: { type: 'array', items: point },
    value: r => r.list(3, () => pointOf(r)),
    seen: (v: never[]) => v.map(pointSeen),
  },
  {
    name: 'doubles',
    avro: { type: 'map', values: 'double' },
    value: r => Object.fromEntries(r.list(3, () => [r.pick(STRINGS), r.pick(FINITE)])),
  },
  {
    name: 'null_map',
    avro: { type: 'map', values: ['null', 'int'] },
    value: r => Object.fromEntries(r.list(3, () => [r.pick(STRINGS), nullable(r.pick(INTS), 'int', r)])),
    seen: (v: object) => Object.fromEntries(Object.entries(v).map(([k, x]) => [k, inner(x)])),
  },
  {
    name: 'record',
    avro: {
      type: 'record',
      name: 'Outer',
      fields: [
        { name: 'at', type: 'all.types.Point' },
        { name: 'tags', type: { type: 'map', values: { type: 'array', items: 'string' } } },
      ],
    },
    value: r => ({
      at: pointOf(r),
      tags: Object.fromEntries(r.list(2, () => [r.pick(STRINGS), r.list(2, () => r.pick(STRINGS))])),
    }),
    seen: (v: { at: never; tags: unknown }) => ({ at: pointSeen(v.at), tags: v.tags }),
  },
  {
    name: 'null_list',
    avro: ['null', { type: 'array', items: 'int' }],
    value: r =>
      nullable(
        r.list(3, () => r.pick(INTS)),
        'array',
        r,
      ),
    sql: 'if(null_list__null, NULL, toJSONString(null_list))',
    seen: v => (v === null ? null : JSON.stringify(inner(v))),
  },
  {
    name: 'null_record',
    avro: ['null', { type: 'record', name: 'Deep', fields: [{ name: 'a', type: ['null', 'int'] }] }],
    value: r => nullable({ a: nullable(r.pick(INTS), 'int', r) }, 'all.types.Deep', r),
    sql: 'if(null_record__null, NULL, toJSONString(null_record))',
    seen: v => (v === null ? null : JSON.stringify({ a: inner((inner(v) as { a: unknown }).a) })),
  },

  {
    name: 'choice',
    avro: [
      'int',
      'string',
      {
        type: 'record',
        name: 'Pair',
        fields: [
          { name: 'left', type: 'int' },
          { name: 'right', type: 'string' },
        ],
      },
    ],
    value: r =>
      r.pick([
        { int: r.pick(INTS) },
        { string: r.pick(STRINGS) },
        { 'all.types.Pair': { left: r.pick(INTS), right: r.pick(STRINGS) } },
      ]),
    seen: v => v,
  },
  {
    name: 'null_choice',
    avro: ['null', 'int', 'string'],
    value: r => r.pick([null, { int: r.pick(INTS) }, { string: r.pick(STRINGS) }]),
    seen: v => v,
  },
  {
    name: 'chain',
    avro: {
      type: 'record',
      name: 'Chain',
      fields: [
        { name: 'n', type: 'int' },
        { name: 'next', type: ['null', 'all.types.Chain'] },
      ],
    },
    value: r => ({ n: 9, next: list(r.below(3)) }),
    seen: v => v,
  },
  { name: 'nothing', avro: 'null', value: () => null },
]

/** Columns that hold JSON text. */
export const JSON_COLUMNS: ReadonlySet<string> = new Set(['choice', 'null_choice', 'chain'])

/** Fields whose Avro type changes where a schema is made from the columns: the same value in another dress. */
export const REDRESSED: Readonly<Record<string, (value: never) => unknown>> = {
  decimal: (v: Uint8Array) => text(unscaledOf(v)),
  decimal_fixed: (v: Uint8Array) => text(unscaledOf(v)),
  uuid_fixed: (v: Uint8Array | string) => (typeof v === 'string' ? v : uuidText(v)),
}

export const EVERYTHING = {
  type: 'record',
  name: 'Everything',
  namespace: 'all.types',
  fields: [{ name: 'id', type: 'int' }, ...SPECS.map(s => ({ name: s.name, type: s.avro }))],
}

export function rowsOf(count: number, seed: number): readonly Row[] {
  const random = new Random(seed)
  return Array.from({ length: count }, (_, id) => ({ id, ...Object.fromEntries(SPECS.map(s => [s.name, s.value(random)])) }))
}

export const SELECT = ['id', ...SPECS.map(s => `${s.sql ?? s.name} AS ${s.name}_`)].join(', ')

/** A row as the statement above gives it. */
export const seen = (row: Row): Row =>
  Object.fromEntries([['id', row.id], ...SPECS.map(s => [`${s.name}_`, s.seen ? s.seen(row[s.name] as never) : row[s.name]])])
