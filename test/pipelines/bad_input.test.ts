import { closeSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs'
import path from 'node:path'
import { avscType } from '../support/avsc'
import {
  type Bench,
  CONNECTIONS,
  envelopeOf,
  headersOf,
  type Outcome,
  runResult,
  startBench,
  type TopicRecord,
} from '../support/connect'
import { wire } from '../support/wire'

/** One bad record between good ones, of each kind: set aside with all that is known of it, or the flow stops before it. */

const ROW = {
  type: 'record',
  name: 'Row',
  fields: [
    { name: 'id', type: 'int' },
    { name: 'v', type: 'int' },
  ],
}
const HUGE = 20 * 1024 * 1024

interface Kind {
  readonly name: string
  readonly format: 'json' | 'avro'
  readonly bad: (good: Buffer, schemaId: number) => Buffer | null
  readonly code: string
  readonly stage: string
  readonly reason: RegExp
}

const KINDS: readonly Kind[] = [
  { name: 'truncated', format: 'avro', bad: good => good.subarray(0, -1), code: 'D001_MALFORMED', stage: 'decode', reason: /./ },
  {
    name: 'unknown_schema',
    format: 'avro',
    bad: good => wire(987_654, good.subarray(5)),
    code: 'D002_UNKNOWN_SCHEMA_ID',
    stage: 'decode',
    reason: /987654/,
  },
  {
    name: 'not_json',
    format: 'json',
    bad: () => Buffer.from('{"id": 3, '),
    code: 'D001_MALFORMED',
    stage: 'decode',
    reason: /./,
  },
  {
    name: 'missing_field',
    format: 'json',
    bad: () => Buffer.from('{"id": 3}'),
    code: 'D004_MISSING_FIELD',
    stage: 'decode',
    reason: /\bv\b/,
  },
  {
    name: 'too_wide',
    format: 'json',
    bad: () => Buffer.from('{"id":3,"v":300}'),
    code: 'D005_OUT_OF_RANGE',
    stage: 'write',
    reason: /v: 300 does not fit UInt8/,
  },
  { name: 'tombstone', format: 'json', bad: () => null, code: 'D007_TOMBSTONE', stage: 'decode', reason: /./ },
  { name: 'huge', format: 'json', bad: () => Buffer.alloc(HUGE, 'x'), code: 'D001_MALFORMED', stage: 'decode', reason: /./ },
  // its bytes are changed in the broker's log file
  {
    name: 'checksum',
    format: 'json',
    bad: () => Buffer.from('{"id":3,"v":3333333}'),
    code: 'D010_CORRUPT_BATCH',
    stage: 'read',
    reason: /offsets 3 to 3: the checksum/,
  },
]
const started = Date.now()
const GOOD = [0, 1, 2, 4, 5, 6]

let bench: Bench
let kinds: readonly Kind[]
const badBytes = new Map<string, Buffer | null>()
const topicOf = (kind: Kind): string => bench.unique(`bad-${kind.name}`)

beforeAll(async () => {
  bench = await startBench()
  kinds = KINDS.filter(k => k.name !== 'checksum' || !bench.kafka.external)
  if (kinds.length < KINDS.length)
    process.stderr.write('skipped: a wrong checksum (the log files of this broker are out of reach)\n')
  // the records are old
  const config = { 'max.message.bytes': String(HUGE + 10_000), 'retention.ms': '-1' }
  for (const kind of kinds) await bench.createTopic(topicOf(kind), 1, config)
  const type = avscType(ROW)
  const producer = bench.client.producer()
  await producer.connect()
  for (const kind of kinds) {
    const topic = topicOf(kind)
    const id = kind.format === 'avro' ? await bench.registerValues(topic, ROW) : 0
    const encode = (row: { id: number; v: number }): Buffer =>
      kind.format === 'avro' ? wire(id, type.toBuffer(row)) : Buffer.from(JSON.stringify(row))
    const bad = kind.bad(encode({ id: 3, v: 3 }), id)
    badBytes.set(kind.name, bad)
    const message = (n: number) => ({
      key: `k${n}`,
      value: n === 3 ? bad : encode({ id: n, v: n }),
      headers: { trace: `t${n}` },
      timestamp: String(1_700_000_000_000 + n),
    })
    // each in a batch of its own
    for (let n = 0; n < 7; n++) await producer.send({ topic, messages: [message(n)] })
  }
  await producer.disconnect()
  const checksum = kinds.find(k => k.name === 'checksum')
  if (checksum) badBytes.set('checksum', damage(topicOf(checksum), Buffer.from('3333333')))
})
afterAll(() => bench?.stop())

/** Changes one byte of the record that holds `mark` in the files of the broker; gives the whole damaged batch. */
function damage(topic: string, mark: Buffer): Buffer {
  const files = (readdirSync(bench.kafka.folder, { recursive: true }) as string[])
    .map(name => path.join(bench.kafka.folder, name))
    .filter(file => file.includes(topic) && file.endsWith('.log') && statSync(file).isFile())
  for (const file of files) {
    const bytes = readFileSync(file)
    const at = bytes.indexOf(mark)
    if (at < 0) continue
    const fd = openSync(file, 'r+')
    writeSync(fd, Buffer.from('4'), 0, 1, at)
    closeSync(fd)
    bytes[at] = '4'.charCodeAt(0)
    for (let start = 0; start < bytes.length; ) {
      const end = start + 12 + bytes.readInt32BE(start + 8)
      if (end > at) return bytes.subarray(start, end)
      start = end
    }
  }
  throw new Error(`no log file holds ${mark}`)
}

/** One flow for each kind, all in one process. */
function pipeline(name: string, onError: (kind: Kind) => string): string {
  const flows = kinds.map(
    kind => `  ${kind.name}:
    source:
      type: kafka
      topics: [${topicOf(kind)}]
      value: ${kind.format === 'avro' ? 'avro' : '{format: json, schema: {id: i32, v: i32}}'}
    sink: {type: clickhouse, table: ${name}_${kind.name}, order_by: [id]}
${onError(kind)}`,
  )
  return bench.file(`${name}.yaml`, `name: ${bench.unique(name)}\n${CONNECTIONS}\nflows:\n${flows.join('')}`)
}

const narrowTable = (name: string): Promise<void> =>
  bench.command(`CREATE TABLE {db}.${name}_too_wide
    (id Int32, v UInt8, _source LowCardinality(String), _partition Int32, _offset Int64)
    ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 1000`)

async function tables(name: string): Promise<Record<string, readonly unknown[]>> {
  const read = kinds.map(async k => {
    const rows = await bench.sql(`SELECT id, v FROM {db}.${name}_${k.name} ORDER BY id`)
    return [k.name, rows] as const
  })
  return Object.fromEntries(await Promise.all(read))
}
const complete = (): Record<string, readonly unknown[]> =>
  Object.fromEntries(kinds.map(k => [k.name, GOOD.map(id => ({ id, v: id }))]))

function expectSetAside(outcome: Outcome): void {
  expect({ code: outcome.code, flows: runResult(outcome).flows }).toEqual({
    code: 0,
    flows: Object.fromEntries(kinds.map(k => [k.name, { read: 7, written: 6, filtered: 0, dead_lettered: 1, restarts: 0 }])),
  })
}

function expectLetter(kind: Kind, letter: TopicRecord): void {
  const headers = headersOf(letter)
  expect(headers).toMatchObject({
    '__connect.errors.topic': topicOf(kind),
    '__connect.errors.partition': '0',
    '__connect.errors.offset': '3',
    '__connect.errors.stage': kind.stage.toUpperCase(),
    '__connect.errors.exception.class.name': kind.code,
    '__connect.errors.exception.message': expect.stringMatching(kind.reason),
    id: `${topicOf(kind)}|0|3`,
  })
  const bytes = badBytes.get(kind.name) ?? null
  if (kind.name === 'huge') {
    // no broker of the topic takes it whole
    expect(headers['__connect.errors.truncated']).toBe(String(HUGE))
    expect(letter.value?.length).toBeGreaterThan(900_000)
    expect(letter.value?.equals(bytes?.subarray(0, letter.value.length) ?? Buffer.alloc(0))).toBe(true)
  } else {
    expect(headers['__connect.errors.truncated']).toBeUndefined()
    expect(letter.value?.toString('hex')).toBe(bytes?.toString('hex'))
  }
  // of a damaged batch nothing but its bytes can be trusted
  if (kind.name === 'checksum') return
  expect(letter.key?.toString()).toBe('k3')
  expect(headers.trace).toBe('t3')
  expect(headers['__connect.errors.timestamp']).toBe('1700000000003')
  // its own time is that of today: by the time of the data, retention would delete it at once
  expect(Number(letter.timestamp)).toBeGreaterThan(started)
}

test('dead letters to a topic: reason, origin and bytes; all others arrive', async () => {
  await narrowTable('topic')
  const dead = (kind: Kind): string => `${topicOf(kind)}.dead`
  const file = pipeline('topic', kind => `    on_error: {dead_letter: ${dead(kind)}}\n`)
  expectSetAside(await bench.run(file))
  expect(await tables('topic')).toEqual(complete())
  for (const kind of kinds) {
    const letters = await bench.records(dead(kind))
    expect(letters).toHaveLength(1)
    expectLetter(kind, letters[0])
  }
})

test('dead letters to a file hold the same, however large', async () => {
  await narrowTable('file')
  const file = pipeline('file', kind => `    on_error: {dead_letter: {file: letters/${kind.name}.ndjson}}\n`)
  expectSetAside(await bench.run(file))
  expect(await tables('file')).toEqual(complete())
  for (const kind of kinds) {
    const lines = readFileSync(path.join(bench.folder, `letters/${kind.name}.ndjson`), 'utf8')
      .trim()
      .split('\n')
    expect(lines).toHaveLength(1)
    const letter = JSON.parse(lines[0])
    expect(letter).toMatchObject({
      id: `${topicOf(kind)}|0|3`,
      flow: kind.name,
      stage: kind.stage,
      code: kind.code,
      message: expect.stringMatching(kind.reason),
      topic: topicOf(kind),
      partition: 0,
      offset: 3,
    })
    const bytes = badBytes.get(kind.name) ?? null
    expect(letter.value_base64 === (bytes?.toString('base64') ?? null)).toBe(true)
    if (kind.name === 'checksum') continue
    expect(Buffer.from(letter.key_base64, 'base64').toString()).toBe('k3')
    expect(letter.headers).toEqual([['trace', Buffer.from('t3').toString('base64')]])
    expect(letter.timestamp).toBe(1_700_000_000_003)
  }
})

test('on_error: stop ends each flow before its bad record, at every start, until told otherwise', async () => {
  await narrowTable('stop')
  const file = pipeline('stop', () => '    on_error: stop\n')
  const stops = async (): Promise<Record<string, readonly unknown[]>> => {
    const outcome = await bench.run(file)
    expect(outcome.code).toBe(1)
    expect(Object.fromEntries(Object.entries(runResult(outcome).flows).map(([n, f]) => [n, f.error]))).toEqual(
      Object.fromEntries(kinds.map(k => [k.name, k.code])),
    )
    expect(envelopeOf(outcome)).toMatchObject({ ok: false, error: { code: kinds[0].code } })
    for (const kind of kinds) {
      const said = outcome.stderr.split('\n').find(line => line.includes(`${kind.name}: stopped at`))
      expect(said).toContain(kind.code)
      expect(said).toContain(kind.name === 'checksum' ? 'offset' : `${topicOf(kind)}/0 offset 3`)
    }
    return tables('stop')
  }
  // how many of the good records before the bad one are in a batch of their own is a matter of timing
  const seen = new Map<string, readonly number[]>()
  for (let start = 0; start < 2; start++) {
    const rows = await stops()
    for (const kind of kinds) {
      // what the store refuses is known after the batch was sent: its other rows stand in the table, the position does not pass it
      const allowed = kind.stage === 'write' ? GOOD : GOOD.filter(id => id < 3)
      const ids = rows[kind.name].map(row => (row as { id: number }).id)
      for (const id of ids) expect(allowed).toContain(id)
      expect(new Set(ids).size).toBe(ids.length)
      expect(ids).toEqual(expect.arrayContaining([...(seen.get(kind.name) ?? [])]))
      seen.set(kind.name, ids)
    }
  }
  pipeline('stop', kind => `    on_error: {dead_letter: ${topicOf(kind)}.dead2}\n`)
  const outcome = await bench.run(file)
  expect(outcome.code).toBe(0)
  for (const kind of kinds) expect(runResult(outcome).flows[kind.name].dead_lettered).toBe(1)
  expect(await tables('stop')).toEqual(complete())
})

test('a good record of 20 MB arrives', async () => {
  const topic = bench.unique('large')
  await bench.createTopic(topic, 1, { 'max.message.bytes': String(HUGE + 10_000) })
  const producer = bench.client.producer()
  await producer.connect()
  for (const [id, size] of [
    [1, 10],
    [2, HUGE - 100],
    [3, 10],
  ] as const)
    await producer.send({ topic, messages: [{ value: JSON.stringify({ id, text: 'y'.repeat(size) }) }] })
  await producer.disconnect()
  const file = bench.file(
    'large.yaml',
    `name: ${topic}
${CONNECTIONS}
flows:
  ingest:
    source: {type: kafka, topics: [${topic}], value: {format: json, schema: {id: i32, text: utf8}}}
    sink: {type: clickhouse, table: large}
`,
  )
  expect((await bench.run(file)).code).toBe(0)
  const rows = await bench.sql(
    `SELECT id, length(text) AS n, replaceAll(text, 'y', '') = '' AS whole FROM {db}.large ORDER BY id`,
  )
  expect(rows).toEqual([
    { id: 1, n: '10', whole: 1 },
    { id: 2, n: String(HUGE - 100), whole: 1 },
    { id: 3, n: '10', whole: 1 },
  ])
})
