/**
 * Avro to columns and back: us of CPU per row for the flat record of seven fields that DESIGN's numbers are given for.
 *
 *   npx tsc -p tsconfig.build.json --outDir /tmp/bench && node /tmp/bench/bench/avro_decode.js
 */
import type { RecordBlock } from '../runtime/batch'
import { AvroDecoder } from '../transforms/formats/avro/decoder'
import { AvroEncoder } from '../transforms/formats/avro/encode'
import { parseSchema } from '../transforms/formats/avro/parse'
import { RegistryClient } from '../transforms/formats/avro/registry'
import { toSchema } from '../transforms/formats/avro/types'
import { Writers } from '../transforms/formats/avro/writers'

const ROWS = 50_000
const PER_BLOCK = 500
const ID = 1

const node = parseSchema({
  type: 'record',
  name: 'bench.Metric',
  fields: [
    { name: 'device', type: 'string' },
    { name: 'ts', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'cpu', type: 'double' },
    { name: 'mem', type: 'double' },
    { name: 'status', type: 'int' },
    { name: 'region', type: 'string' },
    { name: 'note', type: ['null', 'string'] },
  ],
})
const schema = toSchema(node)

/** A registry that holds one schema, without a network: the bench is of decoding. */
class OneSchema extends Writers {
  override get(id: number): { readonly node: typeof node } | undefined {
    return id === ID ? { node } : undefined
  }
}
const writers = new OneSchema(new RegistryClient({ url: 'http://127.0.0.1:1' }, '.'))

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = BigInt(value) * 2n
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Buffer.from([...bytes, Number(rest)])
}
const text = (s: string): Buffer => Buffer.concat([varint(s.length), Buffer.from(s)])
function double(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return bytes
}

const record = (i: number): Buffer =>
  Buffer.concat([
    Buffer.from([0, 0, 0, 0, ID]),
    text(`device-${i % 1000}`),
    varint(1_700_000_000_000 + i * 10),
    double(Math.sin(i) * 100),
    double(i * 0.5),
    varint(i % 600),
    text(['eu-west-1', 'us-east-1', 'ap-south-1'][i % 3]),
    i % 4 === 0 ? Buffer.concat([Buffer.from([2]), text('a note')]) : Buffer.from([0]),
  ])

function blockFrom(start: number): RecordBlock {
  const records = Array.from({ length: PER_BLOCK }, (_, i) => record(start + i))
  const valueStart = new Int32Array(PER_BLOCK)
  const valueEnd = new Int32Array(PER_BLOCK)
  let at = 0
  for (const [i, r] of records.entries()) {
    valueStart[i] = at
    at += r.length
    valueEnd[i] = at
  }
  const none = new Int32Array(PER_BLOCK)
  return {
    topic: 'bench',
    partition: 0,
    count: PER_BLOCK,
    buffer: Buffer.concat(records),
    keyStart: none,
    keyEnd: none,
    valueStart,
    valueEnd,
    headersStart: none,
    headersEnd: none,
    offset: new Float64Array(PER_BLOCK),
    timestamp: new Float64Array(PER_BLOCK),
  }
}

const blocks = Array.from({ length: ROWS / PER_BLOCK }, (_, k) => blockFrom(k * PER_BLOCK))

function decodeAll(): AvroDecoder {
  const decoder = new AvroDecoder({ schema, reader: node, capacity: ROWS, writers, onWriter: () => {} })
  for (const block of blocks) void decoder.decode(block, 'value', (_row, error) => fail(error), new AbortController().signal)
  return decoder
}

function fail(error: Error): never {
  throw error
}

/** Best of several rounds: the others only tell what else the machine does. */
function best(rows: number, run: () => unknown): number {
  for (let i = 0; i < 3; i++) run()
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 7; round++) {
    const before = process.cpuUsage()
    let times = 0
    for (const start = performance.now(); performance.now() - start < 200; times++) run()
    const used = process.cpuUsage(before)
    least = Math.min(least, (used.user + used.system) / (times * rows))
  }
  return least
}

const print = (name: string, us: number): void => {
  process.stdout.write(`${JSON.stringify({ name, us_per_row: Number(us.toFixed(4)) })}\n`)
}

print('avro decode, 7 flat fields', best(ROWS, decodeAll))
const { columns } = decodeAll()
const encoder = new AvroEncoder(node, schema, ID)
print(
  'avro encode, 7 flat fields',
  best(ROWS, () => {
    for (let row = 0; row < ROWS; row++) encoder.encode(columns, row)
  }),
)
