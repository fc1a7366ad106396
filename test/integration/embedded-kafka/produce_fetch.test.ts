import { type Admin, CompressionTypes } from 'kafkajs'
import { addCodecs } from '../../support/codecs'
import { type BrokerUnderTest, startBrokerUnderTest, unique } from './broker_under_test'
import { endWireClients, fetchPartition, initProducer, produceBatch, recordBatch, WireClient } from './wire_client'

addCodecs()

let broker: BrokerUnderTest
let admin: Admin
let wire: WireClient

beforeAll(async () => {
  broker = await startBrokerUnderTest()
  admin = broker.kafka.admin()
  await admin.connect()
  wire = await WireClient.to(broker.address)
})

afterAll(async () => {
  endWireClients()
  await admin.disconnect()
  await broker.stop()
})

const newTopic = async (...configs: [string, string][]): Promise<string> => {
  const topic = unique('topic')
  await admin.createTopics({ topics: [{ topic, configEntries: configs.map(([name, value]) => ({ name, value })) }] })
  return topic
}

/** A batch with one bit of its last record turned. */
const damaged = (batch: Buffer): Buffer => {
  batch[batch.length - 2]! ^= 1
  return batch
}

test.each(['None', 'GZIP', 'Snappy', 'LZ4'] as const)(
  'records sent with %s come back equal, with key, headers and time',
  async codec => {
    const topic = await newTopic()
    const producer = broker.kafka.producer()
    const consumer = broker.kafka.consumer({ groupId: unique('group') })
    const sent = Array.from({ length: 50 }, (_, i) => ({
      key: `key ${i}`,
      value: i % 7 === 0 ? null : `value ${i} `.repeat(i),
      headers: { h: `header ${i}` },
      timestamp: String(Date.now() - i * 1000),
    }))
    await producer.connect()
    await producer.send({ topic, messages: sent, compression: CompressionTypes[codec] })
    await producer.disconnect()
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    const received: unknown[] = []
    await new Promise<void>(resolve => {
      void consumer.run({
        eachMessage: async ({ message: { key, value, headers, timestamp } }) => {
          received.push({
            key: key?.toString(),
            value: value === null ? null : value.toString(),
            headers: { h: headers?.h?.toString() },
            timestamp,
          })
          if (received.length === sent.length) resolve()
        },
      })
    })
    await consumer.disconnect()
    expect(received).toEqual(sent)
  },
)

test('offsets follow on, and a fetch gives back the bytes that were sent', async () => {
  const topic = await newTopic()
  const batches = [recordBatch({ values: ['a', 'b', 'c'] }), recordBatch({ values: ['d'] })]
  expect(await produceBatch(wire, { topic }, batches[0]!)).toEqual({ error: 0, baseOffset: 0, appendTime: -1 })
  expect(await produceBatch(wire, { topic }, batches[1]!)).toEqual({ error: 0, baseOffset: 3, appendTime: -1 })
  const { records, highWatermark, lastStableOffset } = await fetchPartition(wire, { topic, offset: 0 })
  expect([highWatermark, lastStableOffset]).toEqual([4, 4])
  expect(records.length).toBe(batches[0]!.length + batches[1]!.length)
  // from the magic byte on nothing may change: base offset and leader epoch are the broker's
  expect(records.subarray(16, batches[0]!.length)).toEqual(batches[0]!.subarray(16))
  expect(records.readBigInt64BE(batches[0]!.length)).toBe(3n)
})

test('a fetch inside a batch begins with that batch', async () => {
  const topic = await newTopic()
  for (let i = 0; i < 3; i++) await produceBatch(wire, { topic }, recordBatch({ values: ['x', 'y'] }))
  const { records } = await fetchPartition(wire, { topic, offset: 3 })
  expect(records.readBigInt64BE(0)).toBe(2n)
})

test.each([
  ['a wrong CRC', damaged(recordBatch()), 2],
  ['an older magic', recordBatch({ magic: 1 }), 87],
  ['a control batch', recordBatch({ attributes: 0x20 }), 87],
  ['two batches', Buffer.concat([recordBatch(), recordBatch()]), 87],
  ['a time in the future', recordBatch({ timestamp: Date.now() + 7_200_000 }), 32],
] as [string, Buffer, number][])('%s is refused', async (_, batch, code) => {
  const topic = await newTopic()
  expect(await produceBatch(wire, { topic }, batch)).toMatchObject({ error: code, baseOffset: -1 })
  expect(await fetchPartition(wire, { topic, offset: 0 })).toMatchObject({ highWatermark: 0 })
})

test('a batch beyond max.message.bytes is refused', async () => {
  const topic = await newTopic(['max.message.bytes', '200'])
  expect(await produceBatch(wire, { topic }, recordBatch({ values: Array(20).fill('0123456789') }))).toMatchObject({ error: 10 })
  expect(await produceBatch(wire, { topic }, recordBatch())).toMatchObject({ error: 0, baseOffset: 0 })
})

test('a partition that does not exist and illegal acks are refused', async () => {
  const topic = await newTopic()
  expect(await produceBatch(wire, { topic, partition: 9 }, recordBatch())).toMatchObject({ error: 3 })
  expect(await produceBatch(wire, { topic, acks: 7 }, recordBatch())).toMatchObject({ error: 21 })
})

test('LogAppendTime stamps the batch and keeps its CRC right', async () => {
  const topic = await newTopic(['message.timestamp.type', 'LogAppendTime'])
  const { appendTime } = await produceBatch(wire, { topic }, recordBatch({ timestamp: 1000 }))
  expect(appendTime).toBeGreaterThan(1_600_000_000_000)
  const { records } = await fetchPartition(wire, { topic, offset: 0 })
  expect(Number(records.readBigInt64BE(35))).toBe(appendTime)
  // sent again as it was stored, so that the CRC is checked by the broker's own rules
  expect(await produceBatch(wire, { topic: await newTopic() }, Buffer.from(records))).toMatchObject({ error: 0 })
})

describe('an idempotent producer', () => {
  test('gets the first offset again for a batch it repeats', async () => {
    const topic = await newTopic()
    const { producerId, epoch } = await initProducer(wire, null)
    const batch = (sequence: number) => recordBatch({ producerId, epoch, sequence, values: ['a', 'b'] })
    expect(await produceBatch(wire, { topic }, batch(0))).toMatchObject({ error: 0, baseOffset: 0 })
    expect(await produceBatch(wire, { topic }, batch(2))).toMatchObject({ error: 0, baseOffset: 2 })
    expect(await produceBatch(wire, { topic }, batch(0))).toMatchObject({ error: 0, baseOffset: 0 })
    expect(await fetchPartition(wire, { topic, offset: 0 })).toMatchObject({ highWatermark: 4 })
  })

  test('is refused with a gap in its sequence', async () => {
    const topic = await newTopic()
    const { producerId, epoch } = await initProducer(wire, null)
    await produceBatch(wire, { topic }, recordBatch({ producerId, epoch, sequence: 0 }))
    expect(await produceBatch(wire, { topic }, recordBatch({ producerId, epoch, sequence: 5 }))).toMatchObject({ error: 45 })
    expect(await produceBatch(wire, { topic }, recordBatch({ producerId, epoch: epoch + 1, sequence: 0 }))).toMatchObject({
      error: 0,
    })
    expect(await produceBatch(wire, { topic }, recordBatch({ producerId, epoch, sequence: 1 }))).toMatchObject({ error: 47 })
  })
})

describe('a fetch', () => {
  test('outside the log is OFFSET_OUT_OF_RANGE', async () => {
    const topic = await newTopic()
    await produceBatch(wire, { topic }, recordBatch())
    expect(await fetchPartition(wire, { topic, offset: 2 })).toMatchObject({ error: 1 })
    expect(await fetchPartition(wire, { topic, offset: 1 })).toMatchObject({ error: 0, highWatermark: 1 })
    expect(await fetchPartition(wire, { topic: unique('none'), offset: 0 })).toMatchObject({ error: 3 })
  })

  test('gives one whole batch even if that is more than it asked for', async () => {
    const topic = await newTopic()
    const batch = recordBatch({ values: Array(20).fill('0123456789') })
    await produceBatch(wire, { topic }, batch)
    await produceBatch(wire, { topic }, batch)
    const { records } = await fetchPartition(wire, { topic, offset: 0, partitionMaxBytes: 10 })
    expect(records.length).toBe(batch.length)
  })

  test('waits for data and is woken by it', async () => {
    const topic = await newTopic()
    const other = await WireClient.to(broker.address)
    const waiting = fetchPartition(other, { topic, offset: 0, maxWaitMs: 60_000 })
    await produceBatch(wire, { topic }, recordBatch())
    expect((await waiting).records.length).toBeGreaterThan(0)
    other.end()
  })

  test('waits until min_bytes are there', async () => {
    const topic = await newTopic()
    const other = await WireClient.to(broker.address)
    const batch = recordBatch()
    let woken = false
    const waiting = fetchPartition(other, { topic, offset: 0, maxWaitMs: 60_000, minBytes: batch.length + 1 }).then(fetched => {
      woken = true
      return fetched
    })
    await produceBatch(wire, { topic }, batch)
    await fetchPartition(wire, { topic, offset: 0 })
    expect(woken).toBe(false)
    await produceBatch(wire, { topic }, batch)
    expect((await waiting).records.length).toBe(2 * batch.length)
    other.end()
  })

  test('answers an empty set after max_wait', async () => {
    const topic = await newTopic()
    expect(await fetchPartition(wire, { topic, offset: 0, maxWaitMs: 50 })).toMatchObject({ error: 0, records: Buffer.alloc(0) })
  })
})

test('offsets are found by time', async () => {
  const topic = await newTopic()
  const start = Date.now() - 100_000
  for (let i = 0; i < 10; i++) await produceBatch(wire, { topic }, recordBatch({ timestamp: start + i * 1000 }))
  const at = async (time: number) => (await admin.fetchTopicOffsetsByTimestamp(topic, time))[0]!.offset
  expect(await at(start)).toBe('0')
  expect(await at(start + 3500)).toBe('4')
  expect(await at(start + 9000)).toBe('9')
})
