import {
  bits32,
  bits64,
  DAYS,
  DECIMALS,
  DOUBLES,
  decimalText,
  doubleText,
  FINITE,
  FLOATS,
  hex,
  INTS,
  inner,
  LONGS,
  MS,
  NS,
  nullable,
  Random,
  STRINGS,
  text,
  US,
  UUIDS,
  unscaled,
  unscaledOf,
  uuidText,
} from './avro_values'

/** A record with every kind of field that Avro has, its values, and what a reader of ClickHouse must see of each. */

export type Row = Record<string, unknown>

interface Spec {
  readonly name: string
  readonly avro: unknown
  /** A value of this row. */
  readonly value: (random: Random) => unknown
  /** SQL over the column, and what it gives for a value. Default: the column itself, and the value as JSON has it. */
  readonly sql?: string
  readonly seen?: (value: never) => unknown
}

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

const SPECS: readonly Spec[] = [
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
