import { derive } from '../../../transforms/derive'
import { filter } from '../../../transforms/filter'
import { batchOf, columnOf, liveIndexes, schemaOf } from '../../support/batches'
import { applied, bindError } from '../../support/transforms'

const schema = schemaOf({
  ts: 'timestamp(ms)',
  device: 'utf8',
  site: 'dictionary?',
  cpu: 'f64?',
  bytes: 'i64',
  status: 'i32?',
  ok: 'bool?',
  tags: 'list<utf8>',
  labels: 'map<utf8>',
  price: 'decimal(10, 2)',
})

const T0 = Date.UTC(2024, 0, 1)
const batch = batchOf(schema, [
  {
    ts: T0,
    device: 'a1',
    site: 'eu-1',
    cpu: 10,
    bytes: 0,
    status: 200,
    ok: true,
    tags: ['x'],
    labels: { r: 'eu' },
    price: '1.10',
  },
  { ts: T0 + 1, device: 'a2', site: null, cpu: null, bytes: 5, status: null, ok: null, tags: [], labels: {}, price: '-2.00' },
  {
    ts: T0 + 60_000,
    device: 'b1',
    site: 'us-1',
    cpu: 90.5,
    bytes: 2n ** 60n,
    status: 500,
    ok: false,
    tags: ['y', 'x'],
    labels: { r: 'us' },
    price: '99.99',
  },
  {
    ts: T0 - 1,
    device: 'é',
    site: 'eu-2',
    cpu: Number.NaN,
    bytes: -7,
    status: 204,
    ok: true,
    tags: ['z'],
    labels: { q: '1' },
    price: '0.00',
  },
])

const kept = async (expression: string): Promise<readonly number[]> =>
  liveIndexes(await applied(filter, { if: expression }, batch))

test.each<[string, readonly number[]]>([
  ['cpu > 50', [2]],
  ['cpu > 50.0', [2]],
  ['50 < cpu', [2]],
  ['cpu != 10', [1, 2, 3]],
  ['!(cpu > 50)', [0, 1, 3]],
  ['cpu == null', [1]],
  ['cpu != null && cpu * 2 < 21', [0]],
  ['cpu + 1 == null', [1]],
  ['bytes >= 0', [0, 1, 2]],
  ['bytes > 1152921504606846975', [2]],
  ['bytes == 1152921504606846976', [2]],
  ['bytes % 2 == 1', [1]],
  ['bytes % 2 == -1', [3]],
  ['bytes / 2 == -3', [3]],
  ['bytes > 1.5', [1, 2]],
  ['status in [200, 204]', [0, 3]],
  ['!(status in [200, 204])', [1, 2]],
  ['device in ["a1", "é"]', [0, 3]],
  ['device.startsWith("a") || device == "é"', [0, 1, 3]],
  ['site.startsWith("eu")', [0, 3]],
  ['site != "eu-1"', [1, 2, 3]],
  ['device.endsWith("1")', [0, 2]],
  ['site.contains("-")', [0, 2, 3]],
  ['device.matches("^[ab]1$")', [0, 2]],
  ['size(device) == 1', [3]],
  ['size(device + "\u{1F600}") == 2 && device.size() == 1', [3]],
  ['ok', [0, 3]],
  ['!ok', [1, 2]],
  ['ok == null', [1]],
  ['ts >= timestamp("2024-01-01T00:00:00Z")', [0, 1, 2]],
  ['ts - timestamp("2024-01-01T00:00:00Z") >= duration("1m")', [2]],
  ['ts + duration("1s") > timestamp("2024-01-01T00:00:30Z")', [2]],
  ['ts.getFullYear() == 2023', [3]],
  ['"x" in tags', [0, 2]],
  ['tags.exists(t, t == "y" || t == device)', [2]],
  ['tags.all(t, t.size() == 1) && size(tags) > 0', [0, 2, 3]],
  ['"r" in labels && labels.r == "eu"', [0]],
  ['has(labels.q)', [3]],
  ['price > 1', [0, 2]],
  ['price == 99.99', [2]],
  ['(cpu > 50 ? "high" : "low") == "high"', [2]],
  ['bytes != 0 && 10 / bytes > 1', [1]],
  ['10 / bytes > 1 && bytes != 0', [1]],
  ['true', [0, 1, 2, 3]],
  ['int(cpu) == 10 || cpu == null || cpu > 50 || bytes < 0', [0, 1, 2, 3]],
])('%s keeps %j', async (expression, rows) => expect(await kept(expression)).toEqual(rows))

test('a failing row is rejected, the others go on', async () => {
  const out = await applied(filter, { if: '10 / bytes >= 0' }, batch)
  expect(liveIndexes(out)).toEqual([1, 2])
  expect(out.rejected.map(r => [r.record.offset, r.error.code, r.error.message])).toEqual([
    [100, 'D012_EXPRESSION', 'if: division by zero'],
  ])
  expect((await applied(filter, { if: 'bytes * 100 > 0' }, batch)).rejected.map(r => r.error.message)).toEqual([
    'if: the result does not fit 64 bits',
  ])
  // no rejection where the exact value does fit although a double could not hold it
  expect((await applied(filter, { if: 'bytes + 1 > 1152921504606846976' }, batch)).rejected).toEqual([])
  expect(await kept('bytes + 1 > 1152921504606846976')).toEqual([2])
})

test('the smallest integer has no negation', async () => {
  const smallest = batchOf(schemaOf({ n: 'i64' }), [{ n: -(2n ** 63n) }, { n: 1 }])
  const out = await applied(filter, { if: '-n < 0' }, smallest)
  expect([liveIndexes(out), out.rejected.length]).toEqual([[1], 1])
})

test('filters narrow each other', async () => {
  const first = await applied(filter, { if: 'bytes >= 0' }, batch)
  const second = await applied(filter, { if: 'device.startsWith("a") && size(device) == 2 && cpu * 1 < 20' }, first)
  expect(liveIndexes(second)).toEqual([0])
})

test.each<[string, string, string]>([
  ['cpp > 1', 'C015_UNKNOWN_COLUMN', 'if: character 1 of "cpp > 1": there is no column "cpp"; did you mean "cpu"?'],
  [
    '1 < 2 && cpp > 1',
    'C015_UNKNOWN_COLUMN',
    'if: character 10 of "1 < 2 && cpp > 1": there is no column "cpp"; did you mean "cpu"?',
  ],
  ['cpu > "x"', 'C014_EXPRESSION', 'if: character 1 of "cpu > "x"": > cannot compare cpu (f64) with "x" (string)'],
  ['cpu', 'C014_EXPRESSION', 'if: character 1 of "cpu": a bool is needed, this is of type double'],
  ['cpu > ', 'C014_EXPRESSION', 'if: character 7 of "cpu > ": Unexpected token: EOF'],
  ['ok && cpu', 'C014_EXPRESSION', 'if: character 7 of "ok && cpu": cpu (f64) stands where a bool is needed'],
  [
    'device + 1 == "a"',
    'C014_EXPRESSION',
    'if: character 1 of "device + 1 == "a"": + is not defined for device (utf8) and 1 (int)',
  ],
  [
    'ts > "2024-01-01"',
    'C014_EXPRESSION',
    'if: character 1 of "ts > "2024-01-01"": > cannot compare ts (timestamp(ms)) with "2024-01-01" (string)',
  ],
  [
    'device.matches("[")',
    'C014_EXPRESSION',
    'if: character 1 of "device.matches("[")": Invalid regular expression: /[/: Unterminated character class',
  ],
  [
    'ts > timestamp("soon")',
    'C014_EXPRESSION',
    'if: character 6 of "ts > timestamp("soon")": timestamp() requires a string in ISO 8601 format',
  ],
  [
    'nope(cpu) == 1',
    'C014_EXPRESSION',
    'if: character 1 of "nope(cpu) == 1": found no matching overload for \'nope(double)\' (cpu (f64))',
  ],
  [
    'tags.exists(t, t == dev)',
    'C015_UNKNOWN_COLUMN',
    'if: character 1 of "tags.exists(t, t == dev)": there is no column "dev"; there are ts, device, site, cpu, bytes, status, ok, tags, labels, price',
  ],
  [
    'status in ["a"]',
    'C014_EXPRESSION',
    'if: character 1 of "status in ["a"]": status (i32) cannot be in a list that holds a string',
  ],
  ['cpu + null > 1', 'C014_EXPRESSION', 'if: character 1 of "cpu + null > 1": null can only be compared, with == or !='],
])('%s is refused: %s', (expression, code, message) => {
  const error = bindError(filter, { if: expression }, batch)
  expect([error?.code, error?.message]).toEqual([code, message])
})

test('a text beside a time is answered with the fix', () => {
  expect(bindError(filter, { if: 'ts > "2024-01-01T00:00:00Z"' }, batch)?.hint).toBe('write timestamp("2024-01-01T00:00:00Z")')
})

test('derived columns', async () => {
  const values = async (expression: string): Promise<unknown> =>
    columnOf(await applied(derive, { fields: { v: expression } }, batch), 'v')
  expect(await values('cpu * 2')).toEqual([20, null, 181, Number.NaN])
  expect(await values('status + 1')).toEqual([201, null, 501, 205])
  expect(await values('bytes + 1')).toEqual([1, 6, 2n ** 60n + 1n, -6])
  expect(await values('device + "/" + site')).toEqual(['a1/eu-1', null, 'b1/us-1', 'é/eu-2'])
  expect(await values('cpu > 50')).toEqual([false, false, true, false])
  expect(await values('ts + duration("1s")')).toEqual([T0 + 1000, T0 + 1001, T0 + 61_000, T0 + 999])
  expect(await values('site == null ? "none" : site')).toEqual(['eu-1', 'none', 'us-1', 'eu-2'])
  expect(await values('size(tags)')).toEqual([1, 0, 2, 1])
  expect(await values('string(ts)')).toEqual([
    '2024-01-01T00:00:00Z',
    '2024-01-01T00:00:00.001Z',
    '2024-01-01T00:01:00Z',
    '2023-12-31T23:59:59.999Z',
  ])
  expect(await values('device.split("1")')).toEqual([['a', ''], ['a2'], ['b', ''], ['é']])
})
