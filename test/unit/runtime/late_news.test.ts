import { createEmitter } from '../../../runtime/events'
import { LateNews } from '../../../runtime/views/late_news'

test('late records are told once, then how many more at most each minute; the metric has every one', () => {
  let now = 0
  const news = new LateNews('data', { now: () => now, monotonic: () => now, sleep: async () => {} })
  const warned: string[] = []
  let counted = 0
  const events = createEmitter({
    log: (level, _, text) => void (level === 'warn' && warned.push(text)),
    metric: m => {
      counted += m.value
    },
  })
  for (; now <= 120_000; now += 10_000) {
    events.emit('records_late', { pipeline: 'p', view: 'data_5m', records: 5, tell: news.add(5) })
  }
  expect(warned).toEqual([
    expect.stringMatching(
      /^data_5m: 5 record\(s\) came too late to count; they are in data, .*new names.*larger `lateness`.*learn that much later$/,
    ),
    'data_5m: 30 more record(s) came too late to count',
    'data_5m: 30 more record(s) came too late to count',
  ])
  expect(counted).toBe(65)
})
