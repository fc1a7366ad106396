import { parse } from 'yaml'
import type { KafkaConnection } from '../../../connectors/kafka/connection'
import { TRUNCATED } from '../../../connectors/kafka/dead_letters'
import { partitionOf } from '../../../connectors/kafka/murmur2'
import { KafkaSink } from '../../../connectors/kafka/sink'
import { type KafkaSinkConfig, kafkaSink, sinkConfig } from '../../../connectors/kafka/sink_config'
import type { KafkaSource } from '../../../connectors/kafka/source'
import { ConnectError } from '../../../runtime/errors'
import { createEmitter, silent } from '../../../runtime/events'
import type { DeadLetter, LaneReader, Position, SinkContext, TransactionLane, WriteResult } from '../../../runtime/plugin'
import { json } from '../../../transforms/formats/json'
import { batchOf, schemaOf } from '../../support/batches'
import { testBroker } from '../../support/broker'
import { contextFor, never, readToEnd, recordsOf, sourceFor, unique } from '../../support/kafka'

const broker = testBroker()

const schema = schemaOf({ id: 'i64', name: 'utf8', ts: 'timestamp(ms)' })
const rowsFrom = (first: number, n: number, size = 1) =>
  Array.from({ length: n }, (_, i) => ({ id: first + i, name: `n${first + i}`.repeat(size), ts: 1_700_000_000_000 + i }))

const contextOf = (flow: string, pipeline: string, sourceTopics: string[] = []): SinkContext<KafkaConnection> => ({
  ...contextFor(broker.service.address, { flow, pipeline }),
  sourceTopics,
  format: (spec, part, topic) =>
    json.create(json.config.parse(spec.config ?? {}) as never, {
      registry: null,
      baseDir: '.',
      events: silent,
      topics: [topic],
      part,
    }),
})

const configOf = (options: Record<string, unknown>): KafkaSinkConfig => {
  const config = sinkConfig.parse({ transaction_timeout: '5s', ...options, value: 'json' })
  return { ...config, value: { format: 'json', config: {} } } as never
}

/** The rows here are of 2023, and a broker deletes by the records' own times. */
const KEPT = { 'retention.ms': -1 }

const openSink = async (options: Record<string, unknown>, context: SinkContext<KafkaConnection>): Promise<KafkaSink> => {
  const topic = typeof options.topic === 'string' ? { name: options.topic, config: KEPT } : options.topic
  const sink = new KafkaSink(configOf({ ...options, topic }), context)
  broker.keep(sink)
  await sink.open(schema, never)
  return sink
}

const laneOf = async (sink: KafkaSink, lane = 0, reader: LaneReader | null = null): Promise<TransactionLane> => {
  const opened = await sink.lane({ lane, partitions: reader?.partitions ?? [], group: reader?.group ?? null }, never)
  if (opened.delivery !== 'transaction') throw new Error('not transactional')
  return opened
}

const settled: WriteResult['failed'][] = []
const write = (lane: TransactionLane, rows: ReturnType<typeof rowsFrom>, positions: Position[]): Promise<WriteResult> =>
  lane.write(batchOf(schema, rows), {
    positions,
    signal: never,
    settle: async failed => {
      settled.push(failed)
    },
  })

const at = (offset: number): Position[] => [{ topic: 'file', partition: 0, offset, metadata: `m${offset}` }]

const readTopic = async (topic: string, isolation = 'read_committed') => {
  const source = broker.keep(sourceFor(contextFor(broker.service.address), { topics: [topic], isolation }))
  await source.open(never)
  return recordsOf(await readToEnd(await source.session(never)))
}

const ids = async (topic: string): Promise<number[]> =>
  (await readTopic(topic)).map(r => JSON.parse(String(r.value)).id).sort((a, b) => a - b)

test('rows become records with key, time, headers and Java’s partition', async () => {
  const topic = unique('out')
  const options = {
    topic: { name: topic, partitions: 3, config: KEPT },
    key: ['name'],
    timestamp: 'ts',
    headers: { origin: 'test' },
  }
  const sink = await openSink(options, contextOf('f', unique('p')))
  const lane = await laneOf(sink)
  expect(await write(lane, rowsFrom(0, 50), at(50))).toEqual({ written: 50, failed: [] })
  const records = await readTopic(topic)
  expect(records).toHaveLength(50)
  for (const r of records) {
    const row = JSON.parse(String(r.value))
    expect(String(r.key)).toBe(row.name)
    expect(r.partition).toBe(partitionOf(Buffer.from(row.name), 3))
    expect(r.timestamp).toBe(1_700_000_000_000 + row.id)
    expect(r.headers.map(([n, v]) => [n, String(v)])).toEqual([['origin', 'test']])
  }
})

test('records that the broker will delete by their age are told once', async () => {
  const told: unknown[] = []
  const events = createEmitter({ log: (level, event, text, data) => told.push([level, event, data, text]), metric: () => {} })
  const writeTo = async (topic: unknown): Promise<void> => {
    const sink = await openSink({ topic, timestamp: 'ts' }, { ...contextOf('f', unique('p')), events })
    const lane = await laneOf(sink)
    for (let i = 0; i < 3; i++) await write(lane, rowsFrom(10 * i, 10), at(10 * i))
    await sink.close()
  }
  await writeTo({ name: unique('kept'), config: { 'retention.ms': -1 } })
  await writeTo({ name: unique('compacted'), config: { 'cleanup.policy': 'compact' } })
  await writeTo({ name: unique('stamped'), config: { 'message.timestamp.type': 'LogAppendTime' } })
  const topic = unique('gone')
  await writeTo({ name: topic, config: { 'retention.ms': 86_400_000 } })
  const found = { topic, oldest_ms: 1_700_000_000_000, retention_ms: 86_400_000 }
  expect(told.filter(t => (t as unknown[])[1] === 'records_expire')).toEqual([
    ['warn', 'records_expire', expect.objectContaining(found), expect.stringContaining('may delete these within minutes')],
  ])
  // what the warning says to write is what the sink takes
  const said = String((told.find(t => (t as unknown[])[1] === 'records_expire') as unknown[])[3]).split('\n')[1]
  const { topic: written } = parse(said) as { topic: object }
  await openSink({ topic: written }, { ...contextOf('f', unique('p')), events })
  expect(told.at(-1)).toEqual([
    'info',
    'topic_altered',
    expect.objectContaining({ from: '86400000', to: '-1' }),
    expect.anything(),
  ])
})

test.each(['gzip', 'snappy', 'lz4'])('compression: %s is read back', async compression => {
  const topic = unique('out')
  const sink = await openSink({ topic, compression }, contextOf('f', unique('p')))
  const lane = await laneOf(sink)
  await write(lane, rowsFrom(0, 3_000, 20), at(3_000))
  expect(await ids(topic)).toEqual(Array.from({ length: 3_000 }, (_, i) => i))
})

test('a file’s positions stand in the transaction and are read back by the next writer', async () => {
  const topic = unique('out')
  const pipeline = unique('p')
  const sink = await openSink({ topic }, contextOf('f', pipeline))
  const first = await laneOf(sink)
  expect(await first.committed(never)).toEqual(new Map())
  await write(first, rowsFrom(0, 10), at(10))
  await write(first, [], at(12))
  const second = await laneOf(await openSink({ topic }, contextOf('f', pipeline)))
  expect(await second.committed(never)).toEqual(new Map([['file|0', { offset: 12, metadata: 'm12' }]]))
  expect(await ids(topic)).toHaveLength(10)
})

test('the next writer fences the last one, whose rows are never seen', async () => {
  const topic = unique('out')
  const pipeline = unique('p')
  const zombie = await laneOf(await openSink({ topic }, contextOf('f', pipeline)))
  await write(zombie, rowsFrom(0, 5), at(5))
  const heir = await laneOf(await openSink({ topic }, contextOf('f', pipeline)))
  await expect(write(zombie, rowsFrom(5, 5), at(10))).rejects.toMatchObject({ code: 'K006_FENCED' })
  expect((await heir.committed(never))?.get('file|0')?.offset).toBe(5)
  await write(heir, rowsFrom(5, 5), at(10))
  expect(await ids(topic)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('dead letters that cannot be written abort the transaction', async () => {
  const topic = unique('out')
  const pipeline = unique('p')
  const sink = await openSink({ topic }, contextOf('f', pipeline))
  const lane = await laneOf(sink)
  const refuse = new ConnectError('P003_DEAD_LETTER_FAILED', 'no')
  const writing = lane.write(batchOf(schema, rowsFrom(0, 3)), {
    positions: at(3),
    signal: never,
    settle: async () => {
      throw refuse
    },
  })
  await expect(writing).rejects.toBe(refuse)
  const next = await laneOf(sink)
  expect(await next.committed(never)).toEqual(new Map())
  await write(next, rowsFrom(7, 1), at(8))
  expect(await ids(topic)).toEqual([7])
  expect((await readTopic(topic, 'read_uncommitted')).length).toBe(4)
})

test('a record larger than the topic takes fails alone, all others are written', async () => {
  const topic = unique('out')
  const options = { topic: { name: topic, config: { ...KEPT, 'max.message.bytes': 20_000 } } }
  const lane = await laneOf(await openSink(options, contextOf('f', unique('p'))))
  const rows = rowsFrom(0, 40).map((r, i) => (i === 17 || i === 30 ? { ...r, name: 'x'.repeat(50_000) } : r))
  const result = await write(lane, rows, at(40))
  expect(result.written).toBe(38)
  expect(result.failed.map(f => [f.row, f.error.code])).toEqual([
    [17, 'D011_TOO_LARGE'],
    [30, 'D011_TOO_LARGE'],
  ])
  expect(settled.at(-1)).toEqual(result.failed)
  expect(await ids(topic)).toEqual(Array.from({ length: 40 }, (_, i) => i).filter(i => i !== 17 && i !== 30))
})

test('from Kafka to Kafka: positions go to the source’s group, and a worker that lost its lanes cannot commit', async () => {
  const from = unique('in')
  const to = unique('out')
  await broker.admin.createTopics({ topics: [{ topic: from, numPartitions: 2 }], waitForLeaders: true })
  const context = contextOf('f', unique('p'), [from])
  const source: KafkaSource = broker.keep(sourceFor(context, { topics: [from] }))
  await source.open(never)
  const session = await source.session(never)
  const sink = await openSink({ topic: to }, context)
  const lane = await laneOf(sink, 0, session.lanes[0])
  expect(await lane.committed(never)).toBeNull()
  const positions = [
    { topic: from, partition: 0, offset: 3, metadata: 'a' },
    { topic: from, partition: 1, offset: 4, metadata: 'b' },
  ]
  await write(lane, rowsFrom(0, 7), positions)
  // the markers of a transaction follow its commit; a writer that is opened waits for them, a plain look does not
  const stored = async () => [...(await session.lanes[0].committed(never)).values()]
  while ((await stored()).some(c => c.offset === -1)) await new Promise(setImmediate)
  expect(await stored()).toEqual([
    { offset: 3, metadata: 'a' },
    { offset: 4, metadata: 'b' },
  ])
  // the lane goes to another worker that has not opened its writer yet: only the group can refuse the old one
  const other: KafkaSource = broker.keep(sourceFor(context, { topics: [from] }))
  await source.close()
  await other.open(never)
  const [heir] = (await other.session(never)).lanes
  await expect(write(lane, rowsFrom(7, 1), [{ ...positions[0], offset: 4 }])).rejects.toMatchObject({ code: 'P005_SESSION_OVER' })
  expect((await heir.committed(never)).get(`${from}|0`)).toEqual({ offset: 3, metadata: 'a' })
  expect(await ids(to)).toEqual([0, 1, 2, 3, 4, 5, 6])
})

test('a topic with other settings is refused', async () => {
  const topic = unique('out')
  await broker.admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true })
  const refused = { code: 'K007_TOPIC_SETTINGS' }
  const context = contextOf('f', unique('p'))
  await expect(openSink({ topic: { name: topic, partitions: 2 } }, context)).rejects.toMatchObject(refused)
  await expect(openSink({ topic: { name: topic, config: { 'cleanup.policy': 'compact' } } }, context)).rejects.toMatchObject(
    refused,
  )
  await openSink({ topic: { name: topic, partitions: 1, config: { 'cleanup.policy': 'delete' } } }, context)
})

test('other settings of a topic: the refusal says how to change them, and where the file says so they are changed', async () => {
  const topic = unique('altered')
  const kept = { name: 'segment.bytes', value: '2000000' }
  await broker.admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries: [kept] }], waitForLeaders: true })
  const told: unknown[] = []
  const events = createEmitter({ log: (_, event, text) => told.push([event, text]), metric: () => {} })
  const context = { ...contextOf('f', unique('p')), events }
  const config = { 'retention.ms': -1, 'cleanup.policy': 'delete,compact' }
  const address = broker.service.address
  await expect(openSink({ topic: { name: topic, config } }, context)).rejects.toMatchObject({
    message: `topic ${topic}: retention.ms is 604800000, -1 is asked for; cleanup.policy is delete, delete,compact is asked for`,
    hint:
      'add `on_difference: alter` to this topic in the file,\n' +
      `  or run \`kafka-configs --bootstrap-server ${address} --entity-type topics --entity-name ${topic} --alter ` +
      "--add-config 'retention.ms=-1,cleanup.policy=[delete,compact]'`,\n  or ask for what the topic has",
  })
  await openSink({ topic: { name: topic, config, on_difference: 'alter' } }, context)
  expect(told).toEqual([
    ['topic_altered', `f: topic ${topic}: retention.ms was 604800000 and is now -1`],
    ['topic_altered', `f: topic ${topic}: cleanup.policy was delete and is now delete,compact`],
  ])
  // now it is as asked for, and what nobody spoke of is as it was
  await openSink({ topic: { name: topic, config: { ...config, 'segment.bytes': 2_000_000 } } }, context)
  const refused = (options: object) => openSink({ topic: { name: topic, on_difference: 'alter', ...options } }, context)
  await expect(refused({ config: { 'retention.ms': 'long' } })).rejects.toMatchObject({ code: 'K003_KAFKA_ERROR' })
  await expect(refused({ partitions: 3 })).rejects.toMatchObject({
    code: 'K007_TOPIC_SETTINGS',
    hint: expect.stringContaining(`kafka-topics --bootstrap-server ${address} --alter --topic ${topic} --partitions 3`),
  })
})

describe('dead letters', () => {
  const letter = (value: Buffer | null, offset = 5): DeadLetter => ({
    id: `in|0|${offset}`,
    pipeline: 'p',
    flow: 'f',
    stage: 'decode',
    plugin: 'avro',
    error: new ConnectError('D001_MALFORMED', 'bad bytes'),
    record: {
      topic: 'in',
      partition: 0,
      offset,
      timestamp: 1_700_000_000_000,
      key: Buffer.from('k'),
      value,
      headers: [
        ['mine', Buffer.from('1')],
        ['mine', null],
      ],
    },
  })

  const writerFor = async (topic: string) => {
    const writer = kafkaSink.deadLetters?.(topic, contextFor(broker.service.address) as never)
    if (!writer) throw new Error('no dead letters')
    broker.keep(writer)
    await writer.open(never)
    return writer
  }

  test('keep key, value and headers and say what happened in Connect’s headers', async () => {
    const topic = unique('dead')
    const writer = await writerFor(topic)
    await writer.write([letter(Buffer.from('v')), letter(null, 6)], never)
    const [first, second] = await readTopic(topic)
    expect([String(first.key), String(first.value), second.value]).toEqual(['k', 'v', null])
    expect(first.headers.map(([n, v]) => [n, v && String(v)])).toEqual([
      ['mine', '1'],
      ['mine', null],
      ['__connect.errors.timestamp', '1700000000000'],
      ['__connect.errors.topic', 'in'],
      ['__connect.errors.partition', '0'],
      ['__connect.errors.offset', '5'],
      ['__connect.errors.connector.name', 'p.f'],
      ['__connect.errors.task.id', '0'],
      ['__connect.errors.stage', 'DECODE'],
      ['__connect.errors.exception.class.name', 'D001_MALFORMED'],
      ['__connect.errors.exception.message', 'bad bytes'],
      ['id', 'in|0|5'],
    ])
  })

  test('a record of 20 MB ends as a letter with its value cut', async () => {
    const topic = unique('dead')
    const writer = await writerFor(topic)
    await writer.write([letter(Buffer.alloc(20_000_000, 7)), letter(Buffer.from('small'), 6)], never)
    const [large, small] = await readTopic(topic)
    expect(large.value?.length).toBeGreaterThan(900_000)
    expect(large.headers.find(([n]) => n === TRUNCATED)?.[1]?.toString()).toBe('20000000')
    expect(String(small.value)).toBe('small')
  })
})
