import { execFile, spawnSync } from 'node:child_process'
import { describeUnless } from '../../support/skip'
import { type BrokerUnderTest, startBrokerUnderTest, unique } from './broker_under_test'

const missing = spawnSync('kcat', ['-V']).error === undefined ? null : 'kcat is not installed (apt-get install kcat)'

let broker: BrokerUnderTest

const kcat = (args: readonly string[], input = ''): Promise<string> => {
  return new Promise((resolve, reject) => {
    const child = execFile('kcat', ['-b', broker.address, ...args], { timeout: 60_000 }, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    )
    child.stdin!.end(input)
  })
}

/** The same broker seen by librdkafka, an implementation that is not ours. */
describeUnless(missing, 'the broker seen by librdkafka')('kcat', () => {
  beforeAll(async () => {
    broker = await startBrokerUnderTest()
  })

  afterAll(async () => {
    await broker.stop()
  })

  const lines = Array.from({ length: 3000 }, (_, i) => `key${i}:value ${i}`)

  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('reads what it wrote with %s', async codec => {
    const topic = unique(codec)
    await kcat(['-P', '-t', topic, '-z', codec, '-K', ':', '-X', 'enable.idempotence=true'], `${lines.join('\n')}\n`)
    const read = await kcat(['-C', '-t', topic, '-e', '-q', '-f', '%k:%s\n'])
    expect(read.trimEnd().split('\n')).toEqual(lines)
  })

  test('reads as a consumer group and goes on where the group stopped', async () => {
    const topic = unique('group')
    const group = unique('g')
    const consume = () => kcat(['-q', '-e', '-X', 'auto.offset.reset=earliest', '-f', '%s\n', '-G', group, topic])
    await kcat(['-P', '-t', topic], 'a\nb\nc\n')
    expect(await consume()).toBe('a\nb\nc\n')
    await kcat(['-P', '-t', topic], 'd\n')
    expect(await consume()).toBe('d\n')
  })

  test('lists brokers and topics', async () => {
    const topic = unique('listed')
    await kcat(['-P', '-t', topic], 'a\n')
    const { brokers, topics } = JSON.parse(await kcat(['-L', '-J', '-t', topic]))
    expect(brokers).toEqual([{ id: 1, name: broker.address }])
    expect(topics).toEqual([{ topic, partitions: [{ partition: 0, leader: 1, replicas: [{ id: 1 }], isrs: [{ id: 1 }] }] }])
  })
})
