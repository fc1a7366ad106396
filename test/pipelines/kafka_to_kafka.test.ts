import { type Bench, CONNECTIONS, headersOf, runResult, startBench } from '../support/connect'

/** Topic to topic: records and position in one transaction, through a killed process and through a record that does not fit. */

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench?.stop())

/** A real broker refuses sessions below 6 s by default. */
const session = (): string => (bench.kafka.external ? '6s' : '1s')

test('killed in the middle and started again: a read_committed consumer sees each record once', async () => {
  const COUNT = 12_000
  const [from, to, name] = ['ids', 'copies', 'copy'].map(bench.unique)
  await bench.createTopic(from, 3)
  await bench.createTopic(to, 3)
  const producer = bench.client.producer()
  await producer.connect()
  for (let at = 0; at < COUNT; at += 3_000) {
    const messages = Array.from({ length: 3_000 }, (_, i) => ({
      key: `k${at + i}`,
      value: JSON.stringify({ id: at + i, text: `t${at + i}` }),
      partition: i % 3,
    }))
    await producer.send({ topic: from, messages })
  }
  await producer.disconnect()
  const file = bench.file(
    'copy.yaml',
    `name: ${name}
${CONNECTIONS}
flows:
  copy:
    source:
      type: kafka
      topics: [${from}]
      value: {format: json, schema: {id: i64, text: utf8}}
      columns: {device: key}
      session_timeout: ${session()}
    sink: {type: kafka, topic: ${to}, key: [device], value: json, flush: {rows: 200}}
`,
  )
  const written = async (): Promise<number> => (await bench.endOffsets(to)).reduce((n, o) => n + Number(o), 0)
  const first = bench.startRun(file)
  const admin = bench.client.admin()
  await admin.connect()
  for (let done = 0; done < COUNT / 4 && first.child.exitCode === null; ) {
    done = (await admin.fetchTopicOffsets(to)).reduce((n, o) => n + Number(o.high), 0)
  }
  first.child.kill('SIGKILL')
  await admin.disconnect()
  expect((await first.ended).signal).toBe('SIGKILL')
  expect(await written()).toBeLessThan(COUNT)

  const outcome = await bench.run(file)
  expect(outcome.code).toBe(0)
  // a part was done by the process that was killed
  expect(runResult(outcome).flows.copy.written).toBeLessThan(COUNT)
  const records = await bench.records(to)
  expect(records).toHaveLength(COUNT)
  const copies = records.map(r => `${r.key} ${r.value}`).sort()
  const expected = Array.from({ length: COUNT }, (_, id) => `k${id} ${JSON.stringify({ id, text: `t${id}`, device: `k${id}` })}`)
  expect(copies).toEqual(expected.sort())
})

describe('a record that the topic does not take', () => {
  const LIMIT = 20_000
  let from: string
  const names = ['small', 'large', 'small too']

  beforeAll(async () => {
    from = bench.unique('sizes')
    await bench.createTopic(from, 1)
    const producer = bench.client.producer()
    await producer.connect()
    const texts = ['a', 'b'.repeat(3 * LIMIT), 'c']
    await producer.send({
      topic: from,
      messages: names.map((name, i) => ({ key: name, value: JSON.stringify({ name, text: texts[i] }) })),
    })
    await producer.disconnect()
  })

  const pipeline = (name: string, to: string, onError: string): string =>
    bench.file(
      'sizes.yaml',
      `name: ${name}
${CONNECTIONS}
flows:
  copy:
    source: {type: kafka, topics: [${from}], value: {format: json, schema: {name: utf8, text: utf8}}, session_timeout: ${session()}}
    sink: {type: kafka, topic: ${to}, key: [name], value: json}
    on_error: ${onError}
`,
    )
  const keys = async (topic: string): Promise<readonly string[]> => (await bench.records(topic)).map(r => String(r.key))
  /** Next offset that the group stands at; -1: none. */
  const position = async (name: string): Promise<string> => {
    const admin = bench.client.admin()
    await admin.connect()
    const [topic] = await admin.fetchOffsets({ groupId: `olap-connect.${name}.copy`, topics: [from] })
    await admin.disconnect()
    return topic.partitions[0].offset
  }

  test('stop: the transaction with its neighbours is not committed, at every start; a dead letter then lets them pass', async () => {
    const [to, name] = ['sizes-stop', 'stop'].map(bench.unique)
    await bench.createTopic(to, 1, { 'max.message.bytes': String(LIMIT) })
    const file = pipeline(name, to, 'stop')
    for (let attempt = 0; attempt < 2; attempt++) {
      const outcome = await bench.run(file)
      expect({ code: outcome.code, flows: runResult(outcome).flows }).toMatchObject({
        code: 1,
        flows: { copy: { error: 'D011_TOO_LARGE', written: 0, dead_lettered: 0 } },
      })
      expect(outcome.stderr).toContain(`${from}/0 offset 1`)
      expect(await keys(to)).toEqual([])
      expect(await position(name)).toBe('-1')
    }
    const dead = bench.unique('sizes-stop-dead')
    pipeline(name, to, `{dead_letter: ${dead}}`)
    expect((await bench.run(file)).code).toBe(0)
    expect(await keys(to)).toEqual(['small', 'small too'])
    expect(await keys(dead)).toEqual(['large'])
  })

  test('dead letter: it is set aside whole, its neighbours pass once', async () => {
    const [to, name, dead] = ['sizes-dead', 'dead', 'sizes-dead-letters'].map(bench.unique)
    await bench.createTopic(to, 1, { 'max.message.bytes': String(LIMIT) })
    const file = pipeline(name, to, `{dead_letter: ${dead}}`)
    const outcome = await bench.run(file)
    expect({ code: outcome.code, flows: runResult(outcome).flows }).toEqual({
      code: 0,
      flows: { copy: { read: 3, written: 2, filtered: 0, dead_lettered: 1, restarts: 0 } },
    })
    expect(await keys(to)).toEqual(['small', 'small too'])
    const [letter, ...more] = await bench.records(dead)
    expect(more).toEqual([])
    expect(headersOf(letter)).toMatchObject({
      '__connect.errors.topic': from,
      '__connect.errors.offset': '1',
      '__connect.errors.stage': 'WRITE',
      '__connect.errors.exception.class.name': 'D011_TOO_LARGE',
    })
    expect(JSON.parse(String(letter.value))).toEqual({ name: 'large', text: 'b'.repeat(3 * LIMIT) })
    expect(await position(name)).toBe('3')
  })

  test('a dead letter that cannot be written stops the flow before the transaction', async () => {
    const [to, name, dead] = ['sizes-lost', 'lost', 'sizes-lost-letters'].map(bench.unique)
    await bench.createTopic(to, 1, { 'max.message.bytes': String(LIMIT) })
    // takes not even the headers of a dead letter
    await bench.createTopic(dead, 1, { 'max.message.bytes': '100' })
    const outcome = await bench.run(pipeline(name, to, `{dead_letter: ${dead}}`))
    expect({ code: outcome.code, flows: runResult(outcome).flows }).toMatchObject({
      code: 1,
      flows: { copy: { error: 'P003_DEAD_LETTER_FAILED', written: 0 } },
    })
    expect(await keys(to)).toEqual([])
    expect(await position(name)).toBe('-1')
  })
})
