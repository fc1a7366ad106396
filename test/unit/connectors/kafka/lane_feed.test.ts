import { LaneFeed } from '../../../../connectors/kafka/lane_feed'
import { encodeRecordBatch } from '../../../../connectors/kafka/record_batch'
import { Bell } from '../../../../connectors/kafka/waiting'

const [a, b] = [0, 1].map(partition => ({ topic: 't', partition }))
const records = encodeRecordBatch([{ key: null, value: Buffer.alloc(600), timestamp: 0, headers: [] }], {
  codec: 'none',
  producerId: -1n,
  epoch: -1,
  sequence: -1,
  transactional: false,
})
const never = new AbortController().signal

function feed(limit: number) {
  const wanted = new Bell()
  const made = new LaneFeed({ partitions: [a, b], limit, over: never, wanted })
  made.begin(
    new Map([
      ['t|0', 0],
      ['t|1', 0],
    ]),
  )
  const deliver = (partition: typeof a, fetchOffset: number) =>
    made.deliver({ ...partition, records, fetchOffset, highWatermark: 10, aborted: [] })
  return { feed: made, wanted, deliver }
}

test('a lane is fetched for until enough waits, whatever partition it is of, and again once the engine has taken it', async () => {
  const { feed: f, wanted, deliver } = feed(1000)
  expect(deliver(a, 0)).toBeNull()
  expect([f.position(a), f.position(b)]).toEqual([1, 0])
  deliver(b, 0)
  expect([f.position(a), f.position(b)]).toEqual([null, null])
  const rung = wanted.rung()
  expect((await f.poll(never)).map(c => [c.partition, c.from, c.next])).toEqual([
    [0, 0, 1],
    [1, 0, 1],
  ])
  await rung
  expect([f.position(a), f.position(b)]).toEqual([1, 1])
})

test('what was asked for twice is taken once', async () => {
  const { feed: f, deliver } = feed(10_000)
  deliver(a, 0)
  expect(deliver(a, 0)).toBeNull()
  expect(await f.poll(never)).toHaveLength(1)
})
