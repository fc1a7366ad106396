import { groupOf, type KafkaSource } from '../../../connectors/kafka/source'
import type { Chunk, Session } from '../../../runtime/plugin'
import { retrying } from '../../../runtime/retry'
import { testBroker } from '../../support/broker'
import { begin, contextFor, expectContiguous, never, readUntil, recordsOf, sourceFor } from '../../support/kafka'
import { notOurs } from '../../support/services'
import { testUnless } from '../../support/skip'

/** What happens to a session while brokers die and groups move. A broker that is not ours cannot be killed. */
const testOfOurs = testUnless(notOurs('kafka'), 'sessions while the broker is killed')

const broker = testBroker()

const produce = async (topic: string, partition: number, from: number, count: number): Promise<void> => {
  const producer = broker.kafka.producer()
  await producer.connect()
  await producer.send({ topic, messages: Array.from({ length: count }, (_, i) => ({ partition, value: `${from + i}` })) })
  await producer.disconnect()
}

const openSource = async (topic: string, context: ReturnType<typeof contextFor>): Promise<KafkaSource> => {
  const source = broker.keep(sourceFor(context, { topics: [topic] }))
  await source.open(never)
  return source
}

const nextSession = (source: KafkaSource, context: ReturnType<typeof contextFor>): Promise<Session> =>
  retrying({ ...context, stage: 'read', signal: never }, () => source.session(never))

testOfOurs('a broker that is killed and comes back: reading goes on at the committed offset', async () => {
  const topic = await broker.newTopic(2)
  const context = contextFor(broker.service.address)
  const source = await openSource(topic, context)
  const first = await source.session(never)
  await produce(topic, 0, 0, 10)
  const [lane] = first.lanes
  await begin(lane)
  expect(recordsOf(await readUntil(lane, c => recordsOf(c).length === 10))).toHaveLength(10)
  await lane.commit([{ topic, partition: 0, offset: 4, metadata: 'four' }], never)
  await broker.service.kill()
  await broker.service.restart()
  await produce(topic, 0, 10, 5)
  // a broker remembers its groups, so the session may have survived; if it has not, the next one knows the position
  const last = (chunks: readonly Chunk[]): boolean => recordsOf(chunks).at(-1)?.offset === 14
  const chunks = await readUntil(lane, last).catch(async () => {
    expect(first.over.reason).toMatchObject({ code: 'P005_SESSION_OVER' })
    const [again] = (await nextSession(source, context)).lanes
    expect((await again.committed(never)).get(`${topic}|0`)).toEqual({ offset: 4, metadata: 'four' })
    await begin(again)
    return readUntil(again, last)
  })
  await source.close()
  const [{ partitions }] = await broker.admin.fetchOffsets({ groupId: groupOf(context), topics: [topic] })
  expect(partitions[0]).toEqual({ partition: 0, offset: '4', metadata: 'four' })
  expectContiguous(chunks)
  expect(recordsOf(chunks).at(-1)?.offset).toBe(14)
})

testOfOurs('a broker that is away for long ends the session; the next one goes on', async () => {
  const topic = await broker.newTopic(1)
  const context = contextFor(broker.service.address)
  const source = await openSource(topic, context)
  const first = await source.session(never)
  await first.lanes[0].commit([{ topic, partition: 0, offset: 0, metadata: 'start' }], never)
  await broker.service.kill()
  const over = new Promise(resolve => first.over.addEventListener('abort', resolve))
  await over
  expect(first.over.reason).toMatchObject({ code: 'P005_SESSION_OVER' })
  await expect(source.session(never)).rejects.toMatchObject({ code: 'E001_UNREACHABLE', retriable: true })
  await broker.service.restart()
  const [lane] = (await nextSession(source, context)).lanes
  expect((await lane.committed(never)).get(`${topic}|0`)).toEqual({ offset: 0, metadata: 'start' })
  await produce(topic, 0, 0, 3)
  await begin(lane)
  expect(recordsOf(await readUntil(lane, c => recordsOf(c).length === 3))).toHaveLength(3)
})

test('a commit of an old session is refused by the broker itself, not only by our own knowledge', async () => {
  const topic = await broker.newTopic(1)
  const context = contextFor(broker.service.address)
  const source = await openSource(topic, context)
  const session = await source.session(never)
  const [lane] = session.lanes
  await lane.commit([{ topic, partition: 0, offset: 7, metadata: 'mine' }], never)
  // the member is thrown out by the coordinator, of which it hears at its next heartbeat or commit
  const [member] = (await broker.admin.describeGroups([groupOf(context)])).groups[0].members
  const ousted = session.id.startsWith(member.memberId)
  expect(ousted).toBe(true)
  const other = await openSource(topic, context)
  const theirs = other.session(never)
  const late = async (): Promise<void> => {
    for (let n = 0; ; n++) await lane.commit([{ topic, partition: 0, offset: 8, metadata: `late ${n}` }], never)
  }
  await expect(late()).rejects.toMatchObject({ code: 'P005_SESSION_OVER' })
  expect(session.over.aborted).toBe(true)
  const sessions = await Promise.all([theirs, source.session(never)])
  const [heir] = sessions.flatMap(s => s.lanes)
  const before = await heir.committed(never)
  await expect(lane.commit([{ topic, partition: 0, offset: 1, metadata: 'zombie' }], never)).rejects.toMatchObject({
    code: 'P005_SESSION_OVER',
  })
  expect(await heir.committed(never)).toEqual(before)
})

test('a commit that is under way while the source closes either is stored or fails, never silently neither', async () => {
  const topic = await broker.newTopic(1)
  for (let round = 0; round < 5; round++) {
    const context = contextFor(broker.service.address)
    const source = await openSource(topic, context)
    const [lane] = (await source.session(never)).lanes
    const committing = lane.commit([{ topic, partition: 0, offset: 3, metadata: 'x' }], never).then(
      () => 'stored',
      error => error.code,
    )
    const closing = source.close()
    const [outcome] = await Promise.all([committing, closing])
    const [{ partitions }] = await broker.admin.fetchOffsets({ groupId: groupOf(context), topics: [topic] })
    if (outcome === 'stored') expect(partitions[0].offset).toBe('3')
    else expect(outcome).toMatch(/R003_ABORTED|P005_SESSION_OVER/)
  }
})

test('two workers that come and go read every record at least once and commit without moving back', async () => {
  const topic = await broker.newTopic(6)
  for (let p = 0; p < 6; p++) await produce(topic, p, 0, 200)
  const context = contextFor(broker.service.address, { lanes: 3 })
  const seen = new Set<string>()
  const complete = new AbortController()
  const work = async (source: KafkaSource, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted && !complete.signal.aborted) {
      const either = AbortSignal.any([signal, complete.signal])
      const session = await source.session(either).catch(() => null)
      if (!session) continue
      await Promise.all(
        session.lanes.map(async lane => {
          try {
            const until = AbortSignal.any([either, session.over])
            await begin(lane, until)
            for (;;) {
              const chunks = await lane.poll(until)
              for (const chunk of chunks ?? []) {
                for (const r of recordsOf([chunk])) seen.add(`${r.partition}.${r.offset}`)
                await lane.commit([{ topic, partition: chunk.partition, offset: chunk.next, metadata: 'm' }], until)
              }
              if (seen.size === 1_200) complete.abort(new Error('complete'))
            }
          } catch (error) {
            if (!either.aborted && !session.over.aborted) throw error
          }
        }),
      )
    }
  }
  const steady = work(await openSource(topic, context), never)
  for (let i = 0; i < 3; i++) {
    const stop = new AbortController()
    const guest = await openSource(topic, context)
    const working = work(guest, stop.signal)
    await guest.session(AbortSignal.timeout(500)).catch(() => {})
    stop.abort(new Error('leaves'))
    await working
    await guest.close()
  }
  await steady
  expect(seen.size).toBe(1_200)
  const [{ partitions }] = await broker.admin.fetchOffsets({ groupId: groupOf(context), topics: [topic] })
  expect(partitions.map(p => p.offset)).toEqual(Array(6).fill('200'))
})
