import { type Admin, ConfigResourceTypes } from 'kafkajs'
import { type BrokerUnderTest, startBrokerUnderTest, unique } from './broker_under_test'
import { endWireClients, fetchPartition, produceBatch, recordBatch, WireClient, w } from './wire_client'

let broker: BrokerUnderTest
let admin: Admin

beforeAll(async () => {
  broker = await startBrokerUnderTest()
  admin = broker.kafka.admin()
  await admin.connect()
})

afterAll(async () => {
  endWireClients()
  await admin.disconnect()
  await broker.stop()
})

const configOf = async (topic: string, name: string): Promise<string | undefined> => {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }],
  })
  return resources[0]!.configEntries.find(entry => entry.configName === name)?.configValue
}

test('a topic is made, described, grown and deleted', async () => {
  const topic = unique('topic')
  expect(await admin.createTopics({ topics: [{ topic, numPartitions: 3 }] })).toBe(true)
  expect(await admin.createTopics({ topics: [{ topic, numPartitions: 3 }] })).toBe(false)
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  expect(topics[0]!.partitions.map(partition => partition.partitionId).sort()).toEqual([0, 1, 2])
  await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] })
  expect((await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]!.partitions).toHaveLength(5)
  await expect(admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] })).rejects.toThrow(/partitions/i)
  await admin.deleteTopics({ topics: [topic] })
  expect(await admin.listTopics()).not.toContain(topic)
  await expect(admin.deleteTopics({ topics: [topic] })).rejects.toThrow(/does not host/)
})

test.each([
  ['an illegal name', { topic: 'a b' }, 17],
  ['no partitions', { topic: 'none', partitions: 0 }, 37],
  ['two replicas on one broker', { topic: 'two', replicas: 2 }, 38],
  ['an unknown config', { topic: 'unknown', config: ['nonsense', '1'] }, 40],
  ['a config of the wrong type', { topic: 'wrong', config: ['retention.ms', 'soon'] }, 40],
  ['a config outside its values', { topic: 'outside', config: ['cleanup.policy', 'keep'] }, 40],
] as [string, { topic: string; partitions?: number; replicas?: number; config?: [string, string] }, number][])(
  'CreateTopics refuses %s',
  async (_, { topic, partitions = 1, replicas = 1, config }, code) => {
    const wire = await WireClient.to(broker.address)
    const configs = config === undefined ? w.array() : w.array(Buffer.concat([w.str(config[0]), w.str(config[1])]))
    const asked = Buffer.concat([w.str(topic), w.i32(partitions), w.i16(replicas), w.array(), configs])
    const answer = (await wire.send(19, 3, w.array(asked), w.i32(5000), w.i8(0)))!
    answer.i32()
    expect(answer.array(() => ({ name: answer.str(), error: answer.i16(), message: answer.str() }))).toEqual([
      { name: topic, error: code, message: expect.any(String) },
    ])
    expect(await admin.listTopics()).not.toContain(topic)
    wire.end()
  },
)

test('configs are kept, changed and reset', async () => {
  const topic = unique('configs')
  const configEntries = [{ name: 'cleanup.policy', value: 'compact' }]
  await admin.createTopics({ topics: [{ topic, configEntries }] })
  expect(await configOf(topic, 'cleanup.policy')).toBe('compact')
  expect(await configOf(topic, 'retention.ms')).toBe('604800000')
  const alter = (entries: { name: string; value: string }[]) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: entries }],
    })
  await alter([{ name: 'retention.ms', value: '1000' }])
  expect(await configOf(topic, 'retention.ms')).toBe('1000')
  expect(await configOf(topic, 'cleanup.policy')).toBe('delete')
  await expect(alter([{ name: 'retention.ms', value: 'never' }])).rejects.toThrow()
})

test('metadata makes a missing topic only when that is allowed', async () => {
  const wire = await WireClient.to(broker.address)
  const topic = unique('auto')
  const errorOf = async (mayCreate: boolean): Promise<number> => {
    const answer = (await wire.send(3, 4, w.array(w.str(topic)), w.i8(mayCreate ? 1 : 0)))!
    answer.i32()
    answer.array(() => [answer.i32(), answer.str(), answer.i32(), answer.str()])
    answer.str()
    answer.i32()
    answer.i32() // one topic
    return answer.i16()
  }
  expect(await errorOf(false)).toBe(3)
  await errorOf(true)
  while ((await errorOf(true)) !== 0);
  expect(await errorOf(false)).toBe(0)
  wire.end()
})

test('a topic made again starts empty, without the offsets of its predecessor', async () => {
  const topic = unique('again')
  const groupId = unique('group')
  await admin.createTopics({ topics: [{ topic }] })
  const wire = await WireClient.to(broker.address)
  expect(await produceBatch(wire, { topic }, recordBatch({ values: ['old', 'older'] }))).toMatchObject({
    error: 0,
    baseOffset: 0,
  })
  await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '2' }] })
  await admin.deleteTopics({ topics: [topic] })
  await admin.createTopics({ topics: [{ topic }] })
  expect(await fetchPartition(wire, { topic, offset: 0 })).toMatchObject({ error: 0, highWatermark: 0 })
  expect(await produceBatch(wire, { topic }, recordBatch())).toMatchObject({ error: 0, baseOffset: 0 })
  expect((await admin.fetchOffsets({ groupId, topics: [topic] }))[0]!.partitions[0]!.offset).toBe('-1')
  wire.end()
})

test('deleted records are out of range, and the log starts after them', async () => {
  const topic = unique('records')
  await admin.createTopics({ topics: [{ topic }] })
  const wire = await WireClient.to(broker.address)
  for (let i = 0; i < 4; i++) await produceBatch(wire, { topic }, recordBatch({ values: ['a', 'b'] }))
  const asked = Buffer.concat([w.str(topic), w.array(Buffer.concat([w.i32(0), w.i64(3)]))])
  const answer = (await wire.send(21, 0, w.array(asked), w.i32(5000)))!
  answer.i32()
  const deleted = answer.array(() => [
    answer.str(),
    answer.array(() => ({ partition: answer.i32(), low: answer.i64(), error: answer.i16() })),
  ])
  expect(deleted).toEqual([[topic, [{ partition: 0, low: 3, error: 0 }]]])
  expect(await fetchPartition(wire, { topic, offset: 2 })).toMatchObject({ error: 1 })
  expect(await fetchPartition(wire, { topic, offset: 3 })).toMatchObject({ error: 0, startOffset: 3 })
  expect((await admin.fetchTopicOffsets(topic))[0]).toMatchObject({ low: '3', high: '8' })
  wire.end()
})

test('an unknown API closes the connection, an unknown ApiVersions version is answered in version 0', async () => {
  const wire = await WireClient.to(broker.address)
  const fallback = (await wire.send(18, 99, w.i8(0)))!
  expect(fallback.i16()).toBe(35)
  expect(fallback.array(() => [fallback.i16(), fallback.i16(), fallback.i16()]).map(([key]) => key)).toContain(18)
  expect(await wire.send(999, 0)).toBeUndefined()
  wire.end()
})
