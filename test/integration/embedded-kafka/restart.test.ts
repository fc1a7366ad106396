import { appendFileSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { notOurs } from '../../support/services'
import { describeUnless } from '../../support/skip'
import { type BrokerUnderTest, endProcess, spawnBroker, startBrokerUnderTest, unique } from './broker_under_test'
import { endWireClients, fetchPartition, initProducer, produceBatch, recordBatch, WireClient } from './wire_client'

describeUnless(notOurs('kafka'), 'restarts of the broker')('the embedded broker', () => {
  let broker: BrokerUnderTest

  beforeEach(async () => {
    broker = await startBrokerUnderTest()
  })

  afterEach(async () => {
    endWireClients()
    await broker.stop()
  })

  test('keeps records, configs, offsets with metadata, producers and transactions over SIGKILL', async () => {
    const topic = unique('topic')
    const groupId = unique('group')
    const admin = broker.kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '-1' }] }] })
    let wire = await WireClient.to(broker.address)
    const { producerId, epoch } = await initProducer(wire, null)
    const batch = (sequence: number) => recordBatch({ producerId, epoch, sequence, values: ['a', 'b'] })
    for (let i = 0; i < 20; i++) expect(await produceBatch(wire, { topic }, batch(i * 2))).toMatchObject({ error: 0 })
    await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '17' }] })
    const id = unique('tx')
    const transactional = () => broker.client('tx').producer({ transactionalId: id, idempotent: true, maxInFlightRequests: 1 })
    const before = transactional()
    await before.connect()
    const done = await before.transaction()
    await done.sendOffsets({
      consumerGroupId: groupId,
      topics: [{ topic, partitions: [{ partition: 1, offset: '3', metadata: 'meta' } as never] }],
    })
    await done.commit()
    const open = await before.transaction()
    await open.send({ topic, messages: [{ value: 'left open', partition: 1 }] })
    const { records } = await fetchPartition(wire, { topic, offset: 0 })

    await broker.killAndRestart()

    wire = await WireClient.to(broker.address)
    expect((await fetchPartition(wire, { topic, offset: 0 })).records).toEqual(records)
    expect(await produceBatch(wire, { topic }, batch(38))).toMatchObject({ error: 0, baseOffset: 38 })
    expect(await produceBatch(wire, { topic }, batch(50))).toMatchObject({ error: 45 })
    expect(await produceBatch(wire, { topic }, batch(40))).toMatchObject({ error: 0, baseOffset: 40 })
    const [fetched] = await admin.fetchOffsets({ groupId, topics: [topic] })
    expect([...fetched!.partitions].sort((a, b) => a.partition - b.partition)).toEqual([
      { partition: 0, offset: '17', metadata: null },
      { partition: 1, offset: '3', metadata: 'meta' },
    ])
    expect(await fetchPartition(wire, { topic, partition: 1, offset: 0, committed: true })).toMatchObject({
      highWatermark: 1,
      lastStableOffset: 0,
    })
    const after = transactional()
    await after.connect()
    await (await after.transaction()).abort()
    expect(await fetchPartition(wire, { topic, partition: 1, offset: 0, committed: true })).toMatchObject({
      highWatermark: 2,
      lastStableOffset: 2,
    })
    expect((await initProducer(wire, null)).producerId).toBeGreaterThan(producerId)
    await before.disconnect()
    await after.disconnect()
    await admin.disconnect()
  })

  test('cuts off a batch that was only partly written', async () => {
    const topic = unique('topic')
    let wire = await WireClient.to(broker.address)
    const admin = broker.kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic }] })
    await admin.disconnect()
    await produceBatch(wire, { topic }, recordBatch({ values: ['a', 'b'] }))
    const { records } = await fetchPartition(wire, { topic, offset: 0 })
    const folder = readdirSync(path.join(broker.folder, 'topics')).find(name => name.startsWith(topic))!
    const torn = recordBatch({ values: ['torn'] })
    torn.writeBigInt64BE(2n)
    appendFileSync(path.join(broker.folder, 'topics', folder, '0', '00000000000000000000.log'), torn.subarray(0, torn.length - 3))
    appendFileSync(path.join(broker.folder, 'journal'), '00000000 {"kind":"topic-del')
    await broker.killAndRestart()
    wire = await WireClient.to(broker.address)
    expect(await fetchPartition(wire, { topic, offset: 0 })).toMatchObject({ records, highWatermark: 2 })
    expect(await produceBatch(wire, { topic }, recordBatch())).toMatchObject({ error: 0, baseOffset: 2 })
  })

  test('refuses a folder and a port that are taken, and says so', async () => {
    await expect(spawnBroker('--data', broker.folder, '--port', '0')).rejects.toThrow(/ended with 3: .*in use by process/)
    const other = `${broker.folder}/other`
    await expect(spawnBroker('--data', other, '--port', broker.address.split(':')[1]!)).rejects.toThrow(
      /ended with 3: .*port \d+ for the Kafka broker is taken/,
    )
    await expect(spawnBroker()).rejects.toThrow(/ended with 2: .*--data/)
  })

  test('ends with its parent when told to, and cleanly on SIGTERM', async () => {
    const one = await spawnBroker('--data', `${broker.folder}/one`, '--port', '0', '--exit-with-parent')
    const exit = new Promise(resolve => one.child.once('exit', resolve))
    one.child.stdin!.end()
    expect(await exit).toBe(0)
    expect(one.stderr()).toMatch(/development broker/)
    const two = await spawnBroker('--data', `${broker.folder}/two`, '--port', '0')
    expect(await endProcess(two.child, 'SIGTERM')).toBe(0)
    expect(readFileSync(`${broker.folder}/two/journal`, 'utf8')).toMatch(/"kind":"cluster"/)
  })
})
