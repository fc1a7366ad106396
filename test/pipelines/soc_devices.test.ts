import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type Bench, runResult, startBench } from '../support/connect'
import { normals, seeded } from '../support/seeded'

/** The example of security operations, as it is shipped, on devices of which one leaks, one falls silent and one reports garbage. */

const EXAMPLE = path.resolve(__dirname, '../../config/examples/soc-devices.yaml')
const MINUTE = 60_000

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench?.stop())

interface Event {
  readonly device: string
  readonly ts: number
  readonly site: string
  readonly dst: string
  readonly bytes_out: number
  readonly temp: number
}

/** Twelve devices at two sites for three hours, every 20 s; noon yesterday, because tables forget after days and nights count more. */
const START = Math.floor(Date.now() / 86_400_000) * 86_400_000 - 12 * 60 * MINUTE
const [LEAKS, SILENT, GARBAGE] = ['dev-03', 'dev-06', 'dev-09']
const LEAK = [130, 134]
const SILENCE = [140, 145]
const CORRUPTION = [150, 158]

function events(): readonly Event[] {
  const random = seeded(3)
  const normal = normals(random)
  const within = ([from, to]: readonly number[], minute: number) => minute >= from && minute < to
  const all: Event[] = []
  for (let second = 0; second < 180 * 60; second += 20) {
    const minute = second / 60
    for (let d = 0; d < 12; d++) {
      const device = `dev-${String(d).padStart(2, '0')}`
      const bytes = Math.max(0, Math.round(1000 + 100 * d + 80 * normal()))
      const temp = 20 + normal()
      if (device === SILENT && within(SILENCE, minute)) continue
      all.push({
        device,
        ts: START + second * 1000,
        site: d % 2 === 0 ? 'north' : 'south',
        dst: `host-${Math.floor(random() * 3)}`,
        bytes_out: device === LEAKS && within(LEAK, minute) ? 50 * bytes : bytes,
        temp: device === GARBAGE && within(CORRUPTION, minute) ? 500 + 100 * random() : temp,
      })
    }
  }
  return all
}

const SCHEMA = {
  type: 'record',
  name: 'DeviceEvent',
  fields: [
    { name: 'ts', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'site', type: 'string' },
    { name: 'dst', type: 'string' },
    { name: 'bytes_out', type: 'long' },
    { name: 'temp', type: 'double' },
  ],
}

/** By a producer that is not ours; two records are not what they should be. */
async function produce(topic: string, all: readonly Event[]): Promise<void> {
  const id = await bench.registerValues(topic, SCHEMA)
  await bench.createTopic(topic, 3)
  const messages = await Promise.all(
    all.map(async ({ device, ...value }) => ({
      key: device,
      value: await bench.schemas.encode(id, value),
      timestamp: String(value.ts),
    })),
  )
  const bad = ['dev-01', 'dev-02'].map(key => ({ key, value: Buffer.from('not avro'), timestamp: String(START + 60 * MINUTE) }))
  const producer = bench.client.producer()
  await producer.connect()
  await producer.send({ topic, messages: [...messages.slice(0, 2_000), ...bad, ...messages.slice(2_000)] })
  await producer.disconnect()
}

test('leaks, silence, garbage and what cannot be read are found, each where it is', async () => {
  const [events_, anomalies_] = ['soc-events', 'soc-anomalies'].map(n => bench.unique(n))
  const text = readFileSync(EXAMPLE, 'utf8')
    .replace(/^name: soc-devices$/m, `name: ${bench.unique('soc')}`)
    .replaceAll(/\bdevice_events\b(?!`)/g, events_)
    .replaceAll('soc.anomalies', anomalies_)
  const all = events()
  await produce(events_, all)
  const outcome = await bench.run(bench.file('soc.yaml', text))
  if (outcome.code !== 0) throw new Error(outcome.stderr.slice(-4_000))
  expect(runResult(outcome).flows.ingest).toMatchObject({ written: all.length, dead_lettered: 2 })

  const rejects = await bench.sql('SELECT device, stage FROM {db}.rejects ORDER BY device')
  expect(rejects).toEqual(['dev-01', 'dev-02'].map(device => ({ device, stage: 'DECODE' })))

  const traffic = new Map<string, number>()
  for (const { device, ts, bytes_out } of all) {
    const key = `${device} ${ts - (ts % MINUTE) + MINUTE}`
    traffic.set(key, (traffic.get(key) ?? 0) + bytes_out)
  }
  const rows = await bench.sql('SELECT device, toUnixTimestamp64Milli(window_end) AS end, bytes_out FROM {db}.traffic_1m')
  expect(rows.map(r => `${r.device} ${r.end} ${r.bytes_out}`).sort()).toEqual([...traffic].map(([k, v]) => `${k} ${v}`).sort())

  const found = await bench.sql(
    `SELECT detector, arrayStringConcat(mapValues(key)) AS key, (toUnixTimestamp64Milli(window_end) - ${START}) / ${MINUTE} AS end
     FROM {db}.anomalies FINAL WHERE status = 'raised' ORDER BY window_end, id`,
  )
  const raised = (detector: string) => found.filter(a => a.detector === detector)
  const first = (detector: string) => raised(detector).map(a => ({ key: a.key, end: Number(a.end) }))[0]
  expect(first('leak_volume')).toEqual({ key: LEAKS, end: LEAK[0] + 1 })
  expect(first('silent')).toEqual({ key: 'north', end: SILENCE[0] + 1 })
  // a fifth of what lies in five minutes
  expect(first('out_of_range')).toEqual({ key: GARBAGE, end: CORRUPTION[0] + 2 })
  expect(first('unit_change')).toMatchObject({ key: GARBAGE })
  expect(raised('off_hours')).toEqual([])
  // little else: two hours of twelve quiet devices
  const elsewhere = found.filter(a => ![LEAKS, SILENT, GARBAGE, 'north'].includes(String(a.key)))
  expect(elsewhere.length).toBeLessThanOrEqual(2)
})
