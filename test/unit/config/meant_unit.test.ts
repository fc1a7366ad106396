import { meantUnit } from '../../../config/meant_unit'
import { parseBytes, parseDuration } from '../../../runtime/fields'

/** The spelling that was meant, or nothing: a wrong guess is worse than none. */

const duration = (text: string): string | null => meantUnit(text, t => parseDuration(t) !== null)
const size = (text: string): string | null => meantUnit(text, t => parseBytes(t) !== null)

test.each([
  ['10 minutes', '10m'],
  ['10 Minutes', '10m'],
  ['1.5 hours', '1.5h'],
  ['200MS', '200ms'],
  ['2 weeks', '14d'],
  ['1h30m', '90m'],
  ['1 day 1 sec', '86401s'],
  ['-1d', null],
  ['10', null],
  ['1 month', null],
  ['about 5 minutes', null],
  ['32 MB', null],
  ['', null],
])('duration %s', (text, meant) => expect(duration(text)).toBe(meant))

test.each([
  ['32 mb', '32MB'],
  ['32M', '32MiB'],
  ['1 gib', '1GiB'],
  ['5 minutes', null],
])('size %s', (text, meant) => expect(size(text)).toBe(meant))

test('a rate', () => {
  const takes = (text: string): boolean => /^\d+\/(s|m|h|d)$/.test(text)
  expect(['5 per second', '5 / sec', '30 a minute', '5/month'].map(t => meantUnit(t, takes))).toEqual([
    '5/s',
    '5/s',
    '30/m',
    null,
  ])
})
