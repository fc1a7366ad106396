import { type Batch, liveRows } from '../runtime/batch'
import { createColumn } from '../runtime/column'
import { field, type Schema, timestamp } from '../runtime/schema'
import { appendValue } from '../runtime/value'
import { detectors } from '../transforms/score/detectors'
import { score } from '../transforms/score/score'
import { applyContext, pluginContext } from './contexts'
import { runMain } from './run_main'

/**
 * CPU of the score transform per key and window at 100,000 keys, and memory per key: one JSON line a detector,
 * `{name, keys, us_per_key_and_window, budget, bytes_per_key, snapshot_bytes_per_key}`. A window is scored when it closes and
 * learned when it is final: two rows.
 */

const KEYS = 100_000
const WINDOWS = 40

const schema: Schema = {
  name: 'bench',
  key: ['device'],
  fields: [
    field('window_start', timestamp('s')),
    field('window_end', timestamp('s')),
    field('device', 'utf8'),
    field('value', 'f64'),
    field('_rev', 'i64'),
    field('_kind', 'dictionary'),
  ],
}

/** All windows of one slide, as the view source gives them: closed, and those before final. */
function slide(n: number, kind: 'close' | 'final'): Batch {
  const closing = 2 * n + (kind === 'close' ? 0 : 1)
  const columns = schema.fields.map(f => createColumn(f, KEYS))
  const spread = (i: number): number => ((Math.imul(i + n * KEYS, 0x9e3779b1) >>> 0) % 10_000) / 10_000
  for (let i = 0; i < KEYS; i++) {
    const row = [1_700_000_000 + 60 * n, 1_700_000_060 + 60 * n, `device-${i}`, spread(i) + spread(i * 7 + 1), 1, kind]
    columns.forEach((column, c) => {
      appendValue(column, row[c])
    })
  }
  return {
    schema,
    columns,
    length: KEYS,
    selection: null,
    origin: { lane: 0, ranges: [{ topic: 'bench', partition: 0, from: closing, to: closing }] },
    rows: { range: new Int32Array(KEYS), offset: new Float64Array(KEYS).fill(closing), timestamp: new Float64Array(KEYS) },
    rejected: [],
    raw: row => ({ topic: 'bench', partition: 0, offset: row, timestamp: -1, key: null, value: null, headers: [] }),
  }
}

const context = applyContext('score')

async function measure(type: string, options: object, budget: number | null): Promise<void> {
  const declaration = detectors.find(d => d.name === type)
  if (!declaration) throw new Error(`there is no detector ${type}`)
  const config = { type, config: declaration.config.parse(options) }
  globalThis.gc?.()
  const before = process.memoryUsage()
  const transform = score.create(score.config.parse({ detectors: { d: config }, threshold: 16 }), pluginContext)
  transform.bind(schema)
  let cpu = 0
  let given = 0
  for (let n = 0; n < WINDOWS; n++) {
    for (const kind of ['close', 'final'] as const) {
      const batch = slide(n, kind)
      const { user, system } = process.cpuUsage()
      given += liveRows(await transform.apply(batch, context))
      const after = process.cpuUsage()
      if (n >= WINDOWS / 2) cpu += after.user - user + after.system - system
    }
  }
  globalThis.gc?.()
  const after = process.memoryUsage()
  const line = {
    name: `score ${type}`,
    keys: KEYS,
    us_per_key_and_window: Number((cpu / (KEYS * (WINDOWS / 2))).toPrecision(3)),
    budget,
    bytes_per_key: Math.round((after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / KEYS),
    snapshot_bytes_per_key: Math.round((transform.snapshot?.(0).length ?? 0) / KEYS),
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
  if (given > KEYS) throw new Error('it emitted too much: it measures the wrong thing')
}

async function main(): Promise<void> {
  await measure('ewma', { features: ['value'], warmup: 5 }, 1)
  await measure('novelty', { features: ['value'], warmup: 20 }, null)
}

runMain(main)
