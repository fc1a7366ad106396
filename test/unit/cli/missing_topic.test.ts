import { topicsHint } from '../../../cli/missing_topic'

const OWN = ['__consumer_offsets', '__olap_connect.demo.closings.v', '_schemas']

test('the nearest, then those most alike, then how many more', () => {
  const names = [...OWN, 'shop.orders', 'orders', ...Array.from({ length: 20 }, (_, i) => `measurements_${i}`)]
  const hint = topicsHint('ordrs', names)
  expect(hint).toMatch(/^did you mean orders\? the topics are orders, shop\.orders, measurements_/)
  expect(hint).toMatch(/ and 14 more$/)
  expect(hint.split(',')).toHaveLength(8)
  expect(hint).not.toContain('__')
})

test('what contains the name comes before what only resembles it', () => {
  expect(topicsHint('orders', ['ordinary', 'prod.shop.orders.v2'])).toBe('the topics are prod.shop.orders.v2, ordinary')
})

test('topics of the brokers are shown to whoever asks for one', () => {
  expect(topicsHint('__consumer_offset', OWN)).toMatch(/^did you mean __consumer_offsets\?/)
  expect(topicsHint('orders', OWN)).toBe('there are no topics yet; create it, or check the brokers')
})
