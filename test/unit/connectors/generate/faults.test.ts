import { generateOptions } from '../../../../connectors/generate/options'
import { generateConnector } from '../../../../connectors/generate/plugin'
import { readSource } from '../../../support/local_source'
import { temporaryFolder } from '../../../support/temporary_folder'

const { path: root } = temporaryFolder()
let folders = 0
const read = (config: object, from = 0) => readSource(generateConnector, config, { dataDir: `${root}/${folders++}`, from })

const MINUTE = 60_000
const START = Date.UTC(2024, 0, 1)
const base = {
  start: '2024-01-01T00:00:00Z',
  for: '2h',
  interval: '10s',
  keys: { column: 'device', count: 5, prefix: 'd' },
  fields: {
    sent: { type: 'series', base: 100, noise: 1 },
    temp: { type: 'normal', mean: 20, sd: 1 },
    id: { type: 'sequence' },
  },
}
const faulty = {
  ...base,
  history: '1h',
  rate: '1000000/s', // of the clock, not of event time
  faults: {
    leak: { type: 'scale', fields: ['sent'], by: 10, every: '10m', for: '2m' },
    corrupt: { type: 'garbage', fields: ['temp'], min: 500, max: 600, every: '10m', for: '1m', after: '5m' },
    silent: { type: 'silent', every: '20m', for: '3m', after: '3m' },
  },
}

interface Row {
  readonly ts: string
  readonly device: string
  readonly sent: number
  readonly temp: number
  readonly id: number
  readonly fault: string
}
const rowsOf = async (config: object, from?: number) => (await read(config, from)).rows as unknown as readonly Row[]
const minute = (row: Row): number => (Date.parse(row.ts) - START) / MINUTE

test('labels say which rows are damaged, and nothing else is', async () => {
  const clean = await rowsOf(base)
  const rows = await rowsOf({ ...faulty, label: 'fault' })
  expect(rows).toHaveLength(clean.length)
  for (const [i, { fault, ...row }] of rows.entries()) {
    const { sent, temp } = clean[i]
    if (fault.startsWith('leak')) expect(row).toEqual({ ...clean[i], sent: sent * 10 })
    else if (fault.startsWith('corrupt')) expect({ ...row, temp }).toEqual(clean[i])
    else expect(row).toEqual(clean[i])
    expect(row.temp >= 500).toBe(fault.startsWith('corrupt'))
  }
})

test('each begins on its timetable after the history, at one key, and is numbered', async () => {
  const rows = (await rowsOf({ ...faulty, label: 'fault' })).filter(r => r.fault !== '')
  const spans = new Map<string, Row[]>()
  for (const row of rows) spans.set(row.fault, [...(spans.get(row.fault) ?? []), row])
  const begins = (name: string) => [1, 2, 3].map(n => minute(spans.get(`${name}-${n}`)?.[0] as Row))
  expect(begins('leak')).toEqual([60, 70, 80])
  expect(begins('corrupt')).toEqual([65, 75, 85])
  expect(begins('silent')).toEqual([63, 83, 103])
  for (const span of spans.values()) expect(new Set(span.map(r => r.device)).size).toBe(1)
  expect(spans.get('leak-1')).toHaveLength(12)
  expect(new Set([...spans.values()].map(span => span[0].device)).size).toBeGreaterThan(1)
})

test('a key has one fault at a time', async () => {
  const every = { every: '5m', for: '5m' }
  // two stretches of each of the others may touch one of the last, which leaves one key of five
  const crowded = {
    ...faulty,
    faults: {
      leak: { type: 'scale', fields: ['sent'], by: 10, ...every },
      corrupt: { type: 'garbage', fields: ['temp'], min: 500, max: 600, ...every, after: '2m' },
      silent: { type: 'silent', every: '4m', for: '3m', after: '1m' },
    },
    label: 'fault',
  }
  const rows = (await rowsOf(crowded)).filter(r => r.fault !== '')
  const lengths = new Map<string, number>()
  for (const { fault } of rows) lengths.set(fault, (lengths.get(fault) ?? 0) + 1)
  const expected = (name: string, stretches: number, rows: number) =>
    Array.from({ length: stretches }, (_, n) => [`${name}-${n + 1}`, rows] as const)
  // each is there from its beginning to its end: none was hidden by another on the same key
  expect(Object.fromEntries(lengths)).toEqual({
    ...Object.fromEntries([...expected('leak', 12, 30), ...expected('corrupt', 11, 30), ...expected('silent', 15, 18)]),
    'corrupt-12': 18, // of which the end of the data cuts off the rest
  })
})

test('where all keys have a fault the one named last strikes nobody', async () => {
  const { leak, silent } = faulty.faults
  const apart = { ...faulty.faults, silent: { ...silent, for: '2m' } }
  const lone = { ...faulty, faults: apart, keys: { column: 'device', count: 1, prefix: 'd' }, label: 'fault' }
  const rows = await rowsOf(lone)
  expect(new Set(rows.map(r => r.fault.split('-')[0]))).toEqual(new Set(['', 'leak', 'corrupt', 'silent']))
  const long = { ...lone, faults: { ...apart, leak: { ...leak, for: '10m' } } }
  expect(new Set((await rowsOf(long)).map(r => r.fault.split('-')[0]))).toEqual(new Set(['', 'leak']))
})

test('without a label silent keys leave rows out, and the other rows are the same', async () => {
  const labelled = await rowsOf({ ...faulty, label: 'fault' })
  const rows = await rowsOf(faulty)
  const heard = labelled.filter(r => !r.fault.startsWith('silent'))
  expect(heard.length).toBeLessThan(labelled.length)
  expect(rows).toEqual(heard.map(({ fault: _, ...row }) => row))
})

test('the same from any offset', async () => {
  const config = { ...faulty, label: 'fault' }
  const all = await rowsOf(config)
  for (const from of [1, 1_801, 2_222]) expect(await rowsOf(config, from)).toEqual(all.slice(from))
})

test.each([
  ['a field that is not there', { leak: { ...faulty.faults.leak, fields: ['nothing'] } }, 'fault'],
  ['a field of whole numbers', { leak: { ...faulty.faults.leak, fields: ['id'] } }, 'fault'],
  ['longer than the time between two', { leak: { ...faulty.faults.leak, for: '11m' } }, 'fault'],
  ['the name of another column as label', faulty.faults, 'device'],
  ['a label without faults', undefined, 'fault'],
])('%s is refused', (_, faults, label) => {
  expect(generateOptions.safeParse({ ...base, faults: faulty.faults, label: 'fault' }).success).toBe(true)
  expect(generateOptions.safeParse({ ...base, faults, label }).success).toBe(false)
})
