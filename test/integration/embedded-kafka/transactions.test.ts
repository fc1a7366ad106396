import type { Admin, Producer } from 'kafkajs'
import { type BrokerUnderTest, startBrokerUnderTest, unique } from './broker_under_test'
import { endWireClients, fetchPartition, initProducer, produceBatch, recordBatch, WireClient, w } from './wire_client'

let broker: BrokerUnderTest
let admin: Admin
let wire: WireClient
const producers: Producer[] = []

beforeAll(async () => {
  broker = await startBrokerUnderTest()
  admin = broker.kafka.admin()
  await admin.connect()
  wire = await WireClient.to(broker.address)
})

afterAll(async () => {
  endWireClients()
  for (const producer of producers) await producer.disconnect()
  await admin.disconnect()
  await broker.stop()
})

const newTopic = async (): Promise<string> => {
  const topic = unique('topic')
  await admin.createTopics({ topics: [{ topic }] })
  return topic
}

const transactional = async (transactionalId: string, transactionTimeout = 30_000): Promise<Producer> => {
  const producer = broker.client('tx').producer({ transactionalId, idempotent: true, maxInFlightRequests: 1, transactionTimeout })
  producers.push(producer)
  await producer.connect()
  return producer
}

/** Values of a topic in the order they are read, up to and with the one called 'end'. */
const read = async (topic: string, committed: boolean): Promise<string[]> => {
  const consumer = broker.kafka.consumer({ groupId: unique('group'), readUncommitted: !committed })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const values: string[] = []
  await new Promise<void>(resolve => {
    void consumer.run({
      eachMessage: async ({ message }) => {
        values.push(message.value!.toString())
        if (values.at(-1) === 'end') resolve()
      },
    })
  })
  await consumer.disconnect()
  return values
}

const send = (topic: string, ...values: string[]) => ({ topic, messages: values.map(value => ({ value })) })

test('aborted records are seen by read_uncommitted only', async () => {
  const topic = await newTopic()
  const producer = await transactional(unique('tx'))
  const first = await producer.transaction()
  await first.send(send(topic, 'a', 'b'))
  await first.commit()
  const second = await producer.transaction()
  await second.send(send(topic, 'lost'))
  await second.abort()
  const third = await producer.transaction()
  await third.send(send(topic, 'end'))
  await third.commit()
  expect(await read(topic, true)).toEqual(['a', 'b', 'end'])
  expect(await read(topic, false)).toEqual(['a', 'b', 'lost', 'end'])
})

test('an open transaction holds the last stable offset back; its marker is a control batch in the log', async () => {
  const topic = await newTopic()
  await produceBatch(wire, { topic }, recordBatch())
  const producer = await transactional(unique('tx'))
  const transaction = await producer.transaction()
  await transaction.send(send(topic, 'x'))
  expect(await fetchPartition(wire, { topic, offset: 1, committed: true })).toMatchObject({
    highWatermark: 2,
    lastStableOffset: 1,
    records: Buffer.alloc(0),
  })
  await transaction.abort()
  let fetched = await fetchPartition(wire, { topic, offset: 1, committed: true })
  while (fetched.lastStableOffset !== 3) fetched = await fetchPartition(wire, { topic, offset: 1, committed: true })
  expect(fetched.aborted).toEqual([{ producerId: expect.any(Number), firstOffset: 1 }])
  const marker = fetched.records.subarray(12 + fetched.records.readInt32BE(8))
  expect(marker.readInt16BE(21) & 0x30).toBe(0x30)
  // the record of a marker: key {version 0, type abort 0}, value {version 0, coordinator epoch}
  expect(marker.subarray(61 + 4, 61 + 9).toString('hex')).toBe('0800000000')
})

test('offsets sent with a transaction count from its commit, with metadata, and never after an abort', async () => {
  const topic = await newTopic()
  const groupId = unique('group')
  const producer = await transactional(unique('tx'))
  const offsetNow = async () => (await admin.fetchOffsets({ groupId, topics: [topic] }))[0]!.partitions[0]!
  const sendOffset = async (offset: string, metadata: string) => {
    const transaction = await producer.transaction()
    await transaction.send(send(topic, 'x'))
    const partitions = [{ partition: 0, offset, metadata }]
    await transaction.sendOffsets({ consumerGroupId: groupId, topics: [{ topic, partitions }] })
    return transaction
  }
  const aborted = await sendOffset('7', 'never')
  await aborted.abort()
  expect(await offsetNow()).toEqual({ partition: 0, offset: '-1', metadata: null })
  const committed = await sendOffset('42', '{"window":"x"}')
  expect((await offsetNow()).offset).toBe('-1')
  await committed.commit()
  while ((await offsetNow()).offset === '-1');
  expect(await offsetNow()).toEqual({ partition: 0, offset: '42', metadata: '{"window":"x"}' })
})

test('a new producer with the same id fences the old one and aborts what it left open', async () => {
  const topic = await newTopic()
  const id = unique('tx')
  const zombie = await transactional(id)
  const open = await zombie.transaction()
  await open.send(send(topic, 'zombie'))
  const successor = await transactional(id)
  const transaction = await successor.transaction()
  await transaction.send(send(topic, 'end'))
  await transaction.commit()
  await expect(open.send(send(topic, 'late'))).rejects.toMatchObject({ type: 'INVALID_PRODUCER_EPOCH' })
  await expect(open.commit()).rejects.toMatchObject({ type: 'INVALID_PRODUCER_EPOCH' })
  expect(await read(topic, true)).toEqual(['end'])
})

test('a transaction that outlives its timeout is aborted', async () => {
  const topic = await newTopic()
  const producer = await transactional(unique('tx'), 1000)
  const transaction = await producer.transaction()
  await transaction.send(send(topic, 'slow'))
  const stable = async () => (await fetchPartition(wire, { topic, offset: 0, committed: true })).lastStableOffset
  while ((await stable()) !== 2) await fetchPartition(wire, { topic, offset: 2, maxWaitMs: 500 })
  await expect(transaction.commit()).rejects.toMatchObject({ type: 'INVALID_PRODUCER_EPOCH' })
})

test('a transactional batch outside a transaction is refused', async () => {
  const topic = await newTopic()
  const transactionalId = unique('tx')
  const { producerId, epoch } = await initProducer(wire, transactionalId)
  const batch = recordBatch({ producerId, epoch, sequence: 0, attributes: 0x10 })
  expect(await produceBatch(wire, { topic, transactionalId }, batch)).toMatchObject({ error: 48 })
  const end = async (commit: boolean): Promise<number> => {
    const answer = (await wire.send(26, 1, w.str(transactionalId), w.i64(producerId), w.i16(epoch), w.i8(commit ? 1 : 0)))!
    answer.i32()
    return answer.i16()
  }
  expect(await end(true)).toBe(48)
})
