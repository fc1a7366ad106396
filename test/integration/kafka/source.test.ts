import { CompressionTypes, type KafkaMessage } from 'kafkajs'
import type { KafkaSource } from '../../../connectors/kafka/source'
import type { Chunk } from '../../../runtime/plugin'
import { testBroker } from '../../support/broker'
import { addCodecs } from '../../support/codecs'
import {
  begin,
  contextFor,
  expectContiguous,
  javaPartitioner,
  never,
  readToEnd,
  readUntil,
  recordsOf,
  sourceFor,
  unique,
} from '../../support/kafka'

addCodecs()

const broker = testBroker()

const produce = async (topic: string, messages: object[], compression = CompressionTypes.None): Promise<void> => {
  const producer = broker.kafka.producer({ createPartitioner: javaPartitioner })
  await producer.connect()
  await producer.send({ topic, messages: messages as never, compression })
  await producer.disconnect()
}

const openSource = async (
  options: Record<string, unknown>,
  context = contextFor(broker.service.address),
): Promise<KafkaSource> => {
  const source = broker.keep(sourceFor(context, options))
  await source.open(never)
  return source
}

/** What kafkajs itself reads of a topic. */
const readWithKafkajs = async (
  topic: string,
  count: number,
  readUncommitted = false,
): Promise<(KafkaMessage & { partition: number })[]> => {
  const consumer = broker.kafka.consumer({ groupId: unique('check'), readUncommitted, maxWaitTimeInMs: 50, sessionTimeout: 6000 })
  const seen: (KafkaMessage & { partition: number })[] = []
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await new Promise<void>(resolve => {
    void consumer.run({
      eachMessage: async ({ message, partition }) => {
        seen.push({ ...message, partition })
        if (seen.length === count) resolve()
      },
    })
  })
  await consumer.disconnect()
  return seen.sort((a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset))
}

const comparable = (records: ReturnType<typeof recordsOf>) =>
  [...records]
    .sort((a, b) => a.partition - b.partition || a.offset - b.offset)
    .map(r => ({
      partition: r.partition,
      offset: String(r.offset),
      timestamp: String(r.timestamp),
      key: r.key?.toString('hex') ?? null,
      value: r.value?.toString('hex') ?? null,
    }))

const comparableKafkajs = (messages: (KafkaMessage & { partition: number })[]) =>
  messages.map(m => ({
    partition: m.partition,
    offset: m.offset,
    timestamp: m.timestamp,
    key: m.key?.toString('hex') ?? null,
    value: m.value?.toString('hex') ?? null,
  }))

test.each(['None', 'GZIP', 'Snappy', 'LZ4'] as const)('reads what kafkajs reads, %s', async codec => {
  const topic = await broker.newTopic(3)
  const now = Date.now()
  const messages = Array.from({ length: 500 }, (_, i) => ({
    key: i % 5 === 0 ? null : `k${i}`,
    value: i % 7 === 0 ? null : 'v'.repeat(i),
    headers: i % 3 === 0 ? { a: `h${i}`, b: '' } : {},
    timestamp: String(now - (i % 11) * 100_000),
  }))
  for (let i = 0; i < messages.length; i += 50) await produce(topic, messages.slice(i, i + 50), CompressionTypes[codec])
  const source = await openSource({ topics: [topic] }, contextFor(broker.service.address, { lanes: 2 }))
  const session = await source.session(never)
  const chunks = await readToEnd(session)
  expectContiguous(chunks)
  const theirs = await readWithKafkajs(topic, messages.length)
  expect(comparable(recordsOf(chunks))).toEqual(comparableKafkajs(theirs))
  const withHeaders = recordsOf(chunks).find(r => r.headers.length > 0)
  expect(withHeaders?.headers.map(([name]) => name)).toEqual(['a', 'b'])
})

test('interleaved committed, aborted and plain producers: read_committed is what was committed, read_uncommitted equals kafkajs', async () => {
  const topic = await broker.newTopic(2)
  const producers = await Promise.all(
    ['a', 'b'].map(async id => {
      const producer = broker.kafka.producer({
        transactionalId: unique(id),
        idempotent: true,
        maxInFlightRequests: 1,
        createPartitioner: javaPartitioner,
      })
      await producer.connect()
      return producer
    }),
  )
  // The truth is the producers' own: kafkajs as a reader sometimes shows the records of an aborted transaction
  const committed: string[] = []
  let all = 0
  for (let round = 0; round < 12; round++) {
    const first = await producers[0].transaction()
    const second = await producers[1].transaction()
    const send = async (t: { send: typeof first.send }, n: number, kept: boolean): Promise<void> => {
      const values = Array.from({ length: n }, (_, i) => `${round}.${all + i}`)
      await t.send({ topic, messages: values.map((value, i) => ({ partition: i % 2, value })) })
      if (kept) committed.push(...values)
      all += n
    }
    const [keepsFirst, keepsSecond] = [round % 3 !== 0, round % 2 !== 0]
    await send(first, 3, keepsFirst)
    await send(second, 4, keepsSecond)
    await produce(topic, [{ value: `plain ${round}`, partition: round % 2 }])
    committed.push(`plain ${round}`)
    all++
    await send(first, 2, keepsFirst)
    await (keepsFirst ? first.commit() : first.abort())
    await (keepsSecond ? second.commit() : second.abort())
  }
  await Promise.all(producers.map(p => p.disconnect()))
  const read = async (isolation: 'read_committed' | 'read_uncommitted') => {
    const source = await openSource({ topics: [topic], isolation })
    const chunks = await readToEnd(await source.session(never))
    expectContiguous(chunks)
    return recordsOf(chunks)
  }
  expect((await read('read_committed')).map(r => String(r.value)).sort()).toEqual([...committed].sort())
  expect(comparable(await read('read_uncommitted'))).toEqual(comparableKafkajs(await readWithKafkajs(topic, all, true)))
})

test('starts in the middle of a batch at exactly the given offset', async () => {
  const topic = await broker.newTopic()
  await produce(
    topic,
    Array.from({ length: 100 }, (_, i) => ({ value: `${i}` })),
    CompressionTypes.GZIP,
  )
  await produce(
    topic,
    Array.from({ length: 100 }, (_, i) => ({ value: `${i + 100}` })),
  )
  const source = await openSource({ topics: [topic] })
  const [lane] = (await source.session(never)).lanes
  lane.begin(new Map([[`${topic}|0`, 57]]))
  const chunks = await readUntil(lane, c => (c.at(-1)?.next ?? 0) >= 200)
  expect(chunks[0].from).toBe(57)
  expect(recordsOf(chunks).map(r => r.offset)).toEqual(Array.from({ length: 143 }, (_, i) => i + 57))
})

test('commits positions with metadata in one request and reads them back in the next session', async () => {
  const topic = await broker.newTopic(3)
  await produce(topic, [{ value: 'x', partition: 0 }])
  const context = contextFor(broker.service.address)
  const first = await openSource({ topics: [topic] }, context)
  const [lane] = (await first.session(never)).lanes
  const before = await lane.committed(never)
  expect([...before.values()]).toEqual(Array(3).fill({ offset: -1, metadata: null }))
  await lane.commit(
    lane.partitions.map((p, i) => ({ ...p, offset: i, metadata: `m${i}` })),
    never,
  )
  await first.close()
  const second = await openSource({ topics: [topic] }, context)
  const [again] = (await second.session(never)).lanes
  expect([...(await again.committed(never))]).toEqual([0, 1, 2].map(i => [`${topic}|${i}`, { offset: i, metadata: `m${i}` }]))
})

test('a second worker gets whole lanes, and the first may commit no more for any of them', async () => {
  const topic = await broker.newTopic(8)
  const context = contextFor(broker.service.address, { lanes: 4 })
  const first = await openSource({ topics: [topic] }, context)
  const alone = await first.session(never)
  expect(alone.lanes.map(l => l.lane)).toEqual([0, 1, 2, 3])
  const second = await openSource({ topics: [topic] }, context)
  const [theirs, ours] = await Promise.all([second.session(never), first.session(never)])
  expect(alone.over.aborted).toBe(true)
  expect(alone.over.reason).toMatchObject({ code: 'P005_SESSION_OVER' })
  const owned = [theirs, ours].map(s => s.lanes.map(l => l.lane))
  expect(owned.map(l => l.length)).toEqual([2, 2])
  expect(owned.flat().sort()).toEqual([0, 1, 2, 3])
  const partitions = [theirs, ours].flatMap(s => s.lanes.flatMap(l => l.partitions.map(p => p.partition)))
  expect(partitions.sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  await expect(alone.lanes[0].commit([{ topic, partition: 0, offset: 1, metadata: 'late' }], never)).rejects.toMatchObject({
    code: 'P005_SESSION_OVER',
  })
  await expect(alone.lanes[0].poll(never)).rejects.toMatchObject({ code: 'P005_SESSION_OVER' })
})

test('a worker beyond the number of lanes has a session without lanes', async () => {
  const topic = await broker.newTopic(2)
  const context = contextFor(broker.service.address, { lanes: 1 })
  const first = await openSource({ topics: [topic] }, context)
  await first.session(never)
  const second = await openSource({ topics: [topic] }, context)
  const sessions = await Promise.all([first.session(never), second.session(never)])
  expect(sessions.map(s => s.lanes.length).sort()).toEqual([0, 1])
})

test('a worker with other lanes is refused and the running one does not notice', async () => {
  const topic = await broker.newTopic(2)
  const context = contextFor(broker.service.address, { lanes: 2 })
  const first = await openSource({ topics: [topic] }, context)
  const session = await first.session(never)
  const other = await openSource({ topics: [topic] }, { ...context, lanes: 3 })
  await expect(other.session(never)).rejects.toMatchObject({ code: 'E010_LANES_DIFFER', retriable: false })
  expect(session.over.aborted).toBe(false)
})

test('records deleted under a position stop the lane and leave the committed position alone', async () => {
  const topic = await broker.newTopic()
  await produce(
    topic,
    Array.from({ length: 20 }, (_, i) => ({ value: `${i}` })),
  )
  const context = contextFor(broker.service.address)
  const source = await openSource({ topics: [topic] }, context)
  const [lane] = (await source.session(never)).lanes
  await lane.commit([{ topic, partition: 0, offset: 5, metadata: 'pending' }], never)
  await broker.admin.fetchTopicOffsets(topic) // makes the admin client learn the leader
  await broker.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '10' }] })
  lane.begin(new Map([[`${topic}|0`, 5]]))
  await expect(lane.poll(never)).rejects.toMatchObject({ code: 'K001_OFFSET_OUT_OF_RANGE', retriable: false })
  await source.close()
  const stored = await broker.admin.fetchOffsets({ groupId: `olap-connect.${context.pipeline}.${context.flow}`, topics: [topic] })
  expect(stored[0].partitions).toEqual([{ partition: 0, offset: '5', metadata: 'pending' }])
})

test('a paused partition is not fetched while the others are, and resume brings the rest', async () => {
  const topic = await broker.newTopic(2)
  const source = await openSource({ topics: [topic] })
  const [lane] = (await source.session(never)).lanes
  await begin(lane)
  lane.pause([{ topic, partition: 0 }])
  await produce(topic, [
    { value: 'a', partition: 0 },
    { value: 'b', partition: 1 },
  ])
  const first = await readUntil(lane, c => recordsOf(c).length > 0)
  expect(recordsOf(first).map(r => r.partition)).toEqual([1])
  lane.resume([{ topic, partition: 0 }])
  const rest = await readUntil(lane, c => recordsOf(c).length > 0)
  expect(recordsOf(rest).map(r => r.partition)).toEqual([0])
})

test('what is not polled is bounded per partition, and a record larger than the bound is read', async () => {
  const topic = await broker.newTopic()
  const large = 'x'.repeat(600_000)
  await produce(topic, [{ value: large }])
  for (let i = 0; i < 20; i++) await produce(topic, [{ value: 'y'.repeat(5_000) }])
  const source = await openSource({ topics: [topic], fetch: { max_bytes_per_partition: '16KiB', max_wait: '20ms' } })
  const session = await source.session(never)
  const [lane] = session.lanes
  await begin(lane)
  const sizes: number[] = []
  const chunks: Chunk[] = []
  while (recordsOf(chunks).length < 21) {
    const polled = (await lane.poll(never)) ?? []
    sizes.push(polled.reduce((sum, c) => sum + c.bytes, 0))
    chunks.push(...polled)
  }
  expectContiguous(chunks)
  expect(Math.max(...sizes.slice(1))).toBeLessThanOrEqual(16 * 1024 * 2 + 6_000)
})

test('an unknown topic is waited for, then named', async () => {
  const source = broker.keep(sourceFor(contextFor(broker.service.address), { topics: [unique('missing')] }))
  await expect(source.open(never)).rejects.toMatchObject({ code: 'K005_UNKNOWN_TOPIC', retriable: true })
})

test('poll, committed and session end with the signal', async () => {
  const topic = await broker.newTopic()
  const source = await openSource({ topics: [topic] })
  const [lane] = (await source.session(never)).lanes
  await begin(lane)
  const stop = new AbortController()
  const reason = new Error('stop')
  const waiting = [lane.poll(stop.signal), source.session(stop.signal)]
  stop.abort(reason)
  for (const w of waiting) await expect(w).rejects.toBe(reason)
})
