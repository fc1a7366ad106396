import { parseMoment } from '../../../../connectors/file/time_text'
import { toUtc } from '../../../../connectors/file/timezone'

const utc = toUtc('UTC')

test.each([
  ['2014-02-14 14:30:00', '2014-02-14T14:30:00.000Z'],
  ['2014-02-14T14:30:00Z', '2014-02-14T14:30:00.000Z'],
  ['2014-02-14T14:30', '2014-02-14T14:30:00.000Z'],
  ['2014-02-14T14:30:00.25+01:00', '2014-02-14T13:30:00.250Z'],
  ['2014-02-14T14:30:00-0530', '2014-02-14T20:00:00.000Z'],
  ['2014-02-14 14:30:00 +02', '2014-02-14T12:30:00.000Z'],
  ['1969-12-31T23:59:59.999Z', '1969-12-31T23:59:59.999Z'],
  ['2024-02-29', '2024-02-29T00:00:00.000Z'],
])('%s', (text, expected) => {
  const moment = parseMoment(text, utc)
  expect(new Date(moment!.ms).toISOString()).toBe(expected)
})

test.each([
  '',
  'today',
  '2023-02-29',
  '2023-13-01',
  '2023-01-01T24:00:00Z',
  '2023-01-01T00:60',
  '2023-01-01T00:00:60Z',
  '23-01-01',
  '2023-01-01Z',
])('%s is none', text => expect(parseMoment(text, utc)).toBeNull())

test('fractions down to nanoseconds', () => {
  expect(parseMoment('2024-01-01T00:00:00.123456789Z', utc)).toEqual({
    ms: Date.UTC(2024, 0, 1) + 123,
    nanos: 456_789,
    digits: 9,
  })
})

// offsets from the IANA database: Berlin is +01:00 in winter and +02:00 in summer; Kathmandu +05:45 all year
test.each([
  ['Europe/Berlin', '2024-01-15 12:00:00', '2024-01-15T11:00:00.000Z'],
  ['Europe/Berlin', '2024-07-15 12:00:00', '2024-07-15T10:00:00.000Z'],
  ['Europe/Berlin', '2024-03-31 01:59:59', '2024-03-31T00:59:59.000Z'],
  ['Europe/Berlin', '2024-03-31 03:00:00', '2024-03-31T01:00:00.000Z'],
  // does not exist: read with the offset of before the change
  ['Europe/Berlin', '2024-03-31 02:30:00', '2024-03-31T01:30:00.000Z'],
  // exists twice: the earlier
  ['Europe/Berlin', '2024-10-27 02:30:00', '2024-10-27T00:30:00.000Z'],
  ['Europe/Berlin', '2024-10-27 03:00:00', '2024-10-27T02:00:00.000Z'],
  ['America/New_York', '2024-11-03 01:30:00', '2024-11-03T05:30:00.000Z'],
  ['Asia/Kathmandu', '2024-01-01 00:00:00', '2023-12-31T18:15:00.000Z'],
])('%s %s', (zone, text, expected) => {
  expect(new Date(parseMoment(text, toUtc(zone))!.ms).toISOString()).toBe(expected)
})

test('a zone in the text wins over the one of the option', () => {
  expect(parseMoment('2024-01-01T00:00:00Z', toUtc('Asia/Tokyo'))?.ms).toBe(Date.UTC(2024, 0, 1))
})
