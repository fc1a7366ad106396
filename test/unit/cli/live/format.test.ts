import { count, moment, oneLine, rate, shortened, span, watch } from '../../../../cli/live/format'

test.each([
  [null, 6, '-'],
  [0, 6, '0'],
  [999_999, 6, '999999'],
  [1_000_000, 6, '1.000M'],
  [12_345_678, 6, '12.35M'],
  [999_950_000, 6, '1.000G'],
  [123_456_789_012, 6, '123.5G'],
  [99_999, 5, '99999'],
  [123_456, 5, '123k'],
  [7e15, 6, '7000T'],
])('count(%p, %i) is %s', (n, width, text) => expect(count(n, width)).toBe(text))

test('a count never needs more than its width', () => {
  for (const width of [4, 5, 6, 7, 8]) {
    for (let n = 1; n < 9e14; n = n * 1.37 + 1) expect(count(n, width).length).toBeLessThanOrEqual(Math.max(width, 4))
  }
})

test.each([
  [0, '0'],
  [0.04, '0.0'],
  [9.94, '9.9'],
  [9.96, '10'],
  [81_019.4, '81019'],
])('rate(%p) is %s', (n, text) => expect(rate(n)).toBe(text))

test.each([
  [null, '-'],
  [0, '0ms'],
  [999.4, '999ms'],
  [999.6, '1s'],
  [1_340, '1.3s'],
  [99_000, '99s'],
  [99_600, '1.7m'],
  [3_600_000, '60m'],
  [6_000_000, '1.7h'],
  [400_000_000, '4.6d'],
  [86_400_000 * 999, '999d'],
  [86_400_000 * 4_100, '11y'],
  [-1_500, '-1.5s'],
])('span(%p) is %s', (ms, text) => expect(span(ms)).toBe(text))

test('a span never needs more than five characters, below a thousand years', () => {
  for (let ms = 0.5; ms < 3e13; ms *= 1.17) expect(span(ms).length).toBeLessThanOrEqual(5)
})

test('watch', () => expect([0, 5_400, 754_000, 11_045_000].map(watch)).toEqual(['0:00', '0:05', '12:34', '3:04:05']))

test('moment', () => {
  const now = Date.UTC(2026, 2, 4, 12)
  const at = [
    Date.UTC(2026, 2, 4, 1, 2, 3),
    Date.UTC(2026, 0, 9, 1, 2, 3),
    Date.UTC(2014, 1, 14, 14, 27, 9),
    null,
    Number.NaN,
    1e20,
  ]
  expect(at.map(ms => moment(ms, now))).toEqual(['01:02:03', '01-09 01:02:03', '2014-02-14 14:27', '-', '-', '-'])
})

test('shortened in the middle', () => {
  expect(shortened('ingest', 6)).toBe('ingest')
  expect(shortened('ingest@kafka_us_east', 9)).toBe('inge…east')
  expect([...Array(20).keys()].map(w => shortened('ingest@kafka_us_east', w).length)).toEqual([...Array(20).keys()])
})

test('one line, and nothing that moves the cursor', () => expect(oneLine('a\n\u001b[2Jb\tc')).toBe('a [2Jb c'))
