import type { Admin, Consumer } from 'kafkajs'
import { type BrokerUnderTest, startBrokerUnderTest, unique } from './broker_under_test'
import { type Answer, endWireClients, WireClient, w } from './wire_client'

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

const newTopic = async (numPartitions = 1): Promise<string> => {
  const topic = unique('topic')
  await admin.createTopics({ topics: [{ topic, numPartitions }] })
  return topic
}

interface Joined {
  readonly error: number
  readonly generation: number
  readonly leader: string | null
  readonly memberId: string
}

/** JoinGroup v5 of a member with one protocol. */
const join = async (client: WireClient, group: string, memberId: string, protocol = 'p'): Promise<Joined> => {
  const protocols = w.array(Buffer.concat([w.str(protocol), w.bytes(Buffer.from('m'))]))
  const answer = (await client.send(
    11,
    5,
    w.str(group),
    w.i32(6000),
    w.i32(6000),
    w.str(memberId),
    w.str(null),
    w.str('consumer'),
    protocols,
  ))!
  answer.i32()
  const error = answer.i16()
  const generation = answer.i32()
  answer.str()
  return { error, generation, leader: answer.str(), memberId: answer.str()! }
}

/** Joins as a new member: the first answer only gives the id (KIP-394). */
const joinNew = async (client: WireClient, group: string, protocol?: string): Promise<Joined> => {
  for (;;) {
    const first = await join(client, group, '', protocol)
    if ([14, 15, 16].includes(first.error)) continue
    return first.error === 79 ? await join(client, group, first.memberId, protocol) : first
  }
}

const sync = async (
  client: WireClient,
  group: string,
  member: Joined,
  assigned: string[],
): Promise<{ error: number; assignment: string }> => {
  const assignments = assigned.map(id => Buffer.concat([w.str(id), w.bytes(Buffer.from(`for ${id}`))]))
  const answer = (await client.send(
    14,
    3,
    w.str(group),
    w.i32(member.generation),
    w.str(member.memberId),
    w.str(null),
    w.array(...assignments),
  ))!
  answer.i32()
  return { error: answer.i16(), assignment: answer.bytes().toString() }
}

const beat = async (client: WireClient, group: string, member: Pick<Joined, 'generation' | 'memberId'>): Promise<number> => {
  const answer = (await client.send(12, 3, w.str(group), w.i32(member.generation), w.str(member.memberId), w.str(null)))!
  answer.i32()
  return answer.i16()
}

/** The error codes of an OffsetCommit of one topic, by partition: brokers answer in an order of their own. */
const readErrors = (answer: Answer): number[] => {
  answer.i32()
  const [partitions] = answer.array(() => {
    answer.str()
    return answer.array(() => ({ partition: answer.i32(), error: answer.i16() }))
  })
  return partitions!.sort((a, b) => a.partition - b.partition).map(({ error }) => error)
}

interface Commit {
  readonly group: string
  readonly generation?: number
  readonly memberId?: string
  readonly topic: string
  readonly offsets: readonly (readonly [partition: number, offset: number, metadata: string | null])[]
}

/** OffsetCommit v5; the error codes of the partitions. */
const commit = async ({ group, generation = -1, memberId = '', topic, offsets }: Commit): Promise<number[]> => {
  const partitions = offsets.map(([partition, offset, metadata]) =>
    Buffer.concat([w.i32(partition), w.i64(offset), w.str(metadata)]),
  )
  const topics = w.array(Buffer.concat([w.str(topic), w.array(...partitions)]))
  return readErrors((await wire.send(8, 5, w.str(group), w.i32(generation), w.str(memberId), topics))!)
}

test('offsets are kept with their metadata; one that is refused does not hold up the others', async () => {
  const topic = await newTopic(3)
  const group = unique('group')
  while ((await commit({ group, topic, offsets: [[0, 5, '{"pending":[5,9]}']] }))[0] !== 0);
  const errors = await commit({
    group,
    topic,
    offsets: [
      [0, 6, 'six'],
      [1, 7, 'x'.repeat(4097)],
      [2, 8, 'y'.repeat(4096)],
      [9, 1, null],
    ],
  })
  expect(errors).toEqual([0, 12, 0, 3])
  const [fetched] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  expect([...fetched!.partitions].sort((a, b) => a.partition - b.partition)).toEqual([
    { partition: 0, offset: '6', metadata: 'six' },
    { partition: 1, offset: '-1', metadata: null },
    { partition: 2, offset: '8', metadata: 'y'.repeat(4096) },
  ])
})

test('two members share a generation; commits are fenced by member and generation', async () => {
  const topic = await newTopic()
  const group = unique('group')
  const other = await WireClient.to(broker.address)
  const one = await joinNew(wire, group)
  expect(one).toMatchObject({ error: 0, generation: 1, leader: one.memberId })
  expect(await sync(wire, group, one, [one.memberId])).toEqual({ error: 0, assignment: `for ${one.memberId}` })
  expect(await beat(wire, group, one)).toBe(0)
  const as = (generation: number, memberId: string) => commit({ group, generation, memberId, topic, offsets: [[0, 1, null]] })
  expect(await as(1, one.memberId)).toEqual([0])

  // a second member makes a rebalance: the first may still commit in its generation until it has joined the next
  const joining = joinNew(other, group)
  while ((await beat(wire, group, one)) !== 27);
  expect(await as(1, one.memberId)).toEqual([0])
  const again = await join(wire, group, one.memberId)
  const two = await joining
  expect([again.generation, two.generation]).toEqual([2, 2])
  expect(two.leader).toBe(one.memberId)
  expect(await as(2, one.memberId)).toEqual([27])
  const waiting = sync(other, group, two, [])
  expect(await sync(wire, group, again, [one.memberId, two.memberId])).toEqual({ error: 0, assignment: `for ${one.memberId}` })
  expect(await waiting).toEqual({ error: 0, assignment: `for ${two.memberId}` })

  expect(await as(1, one.memberId)).toEqual([22])
  expect(await as(2, 'a stranger')).toEqual([25])
  expect(await as(-1, '')).toEqual([25])
  expect(await as(2, two.memberId)).toEqual([0])
  expect(await beat(wire, group, { ...again, generation: 1 })).toBe(22)
  const { groups } = await admin.describeGroups([group])
  expect(groups[0]).toMatchObject({ state: 'Stable', protocol: 'p', members: [{}, {}] })
  await expect(admin.deleteGroups([group])).rejects.toThrow()

  const answer = (await wire.send(13, 3, w.str(group), w.array(Buffer.concat([w.str(two.memberId), w.str(null)]))))!
  answer.i32()
  expect(answer.i16()).toBe(0)
  expect(await beat(wire, group, again)).toBe(27)
  expect(await beat(other, group, two)).toBe(25)
  expect((await join(wire, group, one.memberId)).generation).toBe(3)
})

test('a member without a protocol in common is refused', async () => {
  const group = unique('group')
  const one = await joinNew(wire, group, 'lanes-4')
  await sync(wire, group, one, [])
  const other = await WireClient.to(broker.address)
  expect(await join(other, group, '', 'lanes-8')).toMatchObject({ error: 23 })
  expect(await beat(wire, group, one)).toBe(0)
})

test('a member that is silent for its session timeout is put out', async () => {
  const group = unique('group')
  const one = await joinNew(wire, group)
  await sync(wire, group, one, [])
  const other = await WireClient.to(broker.address)
  // the second member's join is held until the silent first one has timed out
  const two = await joinNew(other, group)
  expect(two).toMatchObject({ error: 0, leader: two.memberId })
  expect(await beat(wire, group, one)).toBe(25)
})

test('session timeouts outside the limits and empty group ids are refused', async () => {
  const refused = async (group: string, timeout: number): Promise<number> => {
    const protocols = w.array(Buffer.concat([w.str('p'), w.bytes(Buffer.alloc(0))]))
    const answer = (await wire.send(
      11,
      5,
      w.str(group),
      w.i32(timeout),
      w.i32(timeout),
      w.str(''),
      w.str(null),
      w.str('consumer'),
      protocols,
    ))!
    answer.i32()
    return answer.i16()
  }
  expect(await refused(unique('group'), 10)).toBe(26)
  expect(await refused('', 6000)).toBe(24)
})

test('consumers that join and leave share the partitions and lose no record', async () => {
  const topic = await newTopic(4)
  const groupId = unique('group')
  const seen = new Set<string>()
  const assigned = new Map<string, number[]>()
  let wake = (): void => {}
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await new Promise<void>(resolve => (wake = resolve))
  }
  const start = async (name: string): Promise<Consumer> => {
    const consumer = broker
      .client(name)
      .consumer({ groupId, heartbeatInterval: 100, maxWaitTimeInMs: 100, rebalanceTimeout: 6000 })
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      assigned.set(name, payload.memberAssignment[topic] ?? [])
      wake()
    })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message }) => {
        seen.add(message.value!.toString())
        wake()
      },
    })
    return consumer
  }
  const all = (): number[] => [...assigned.values()].flat().sort()
  const producer = broker.kafka.producer()
  await producer.connect()
  const send = (from: number) => {
    return producer.send({ topic, messages: Array.from({ length: 40 }, (_, i) => ({ value: `${from + i}`, partition: i % 4 })) })
  }
  const a = await start('a')
  await send(0)
  await until(() => seen.size === 40)
  const b = await start('b')
  await until(() => assigned.get('a')?.length === 2 && assigned.get('b')?.length === 2)
  expect(all()).toEqual([0, 1, 2, 3])
  await send(40)
  await until(() => seen.size === 80)
  await a.disconnect()
  await until(() => assigned.get('b')?.length === 4)
  await send(80)
  await until(() => seen.size === 120)
  await b.disconnect()
  await producer.disconnect()
  expect((await admin.describeGroups([groupId])).groups[0]!.state).toBe('Empty')
  expect((await admin.listGroups()).groups.map(group => group.groupId)).toContain(groupId)
  await admin.deleteGroups([groupId])
  expect((await admin.listGroups()).groups.map(group => group.groupId)).not.toContain(groupId)
})
