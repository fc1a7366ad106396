import { type Batch, liveRows } from '../runtime/batch'
import { createColumn } from '../runtime/column'
import { KeyTable } from '../runtime/key_table'
import type { TransformDeclaration } from '../runtime/plugin'
import { rowViewClass } from '../runtime/row_view'
import { field, type Schema, timestamp } from '../runtime/schema'
import { appendValue } from '../runtime/value'
import { transforms } from '../transforms'
import { applyContext, pluginContext } from './contexts'

/**
 * CPU of this process per row of each transform, row view and key table: one JSON line each,
 * `{name, config, us_per_row, budget}`. Budgets are those of the speed table of the design; null where it has none.
 */

const ROWS = 50_000
const BATCHES = 4
const ROUNDS = 100

const schema: Schema = {
  fields: [
    field('device', 'utf8'),
    field('ts', timestamp('ms')),
    field('cpu', 'f64'),
    field('mem', 'f64', true),
    field('status', 'i32'),
    field('bytes', 'i64'),
    field('region', 'utf8'),
  ],
}

const batches: readonly Batch[] = Array.from({ length: BATCHES }, (_, b) => makeBatch(b))

/** Values spread by a multiplicative sequence, so that branches cannot be predicted. */
function makeBatch(seed: number): Batch {
  const spread = (i: number, of: number): number => (Math.imul(i + seed * ROWS, 0x9e3779b1) >>> 0) % of
  const rows = Array.from({ length: ROWS }, (_, i) => ({
    device: `device-${spread(i, 10_000)}`,
    ts: 1_700_000_000_000 + i,
    cpu: spread(i, 1000) / 10,
    mem: spread(i, 20) === 0 ? null : spread(i, 777) / 7,
    status: 200 + spread(i, 5),
    bytes: spread(i, 1_000_000),
    region: spread(i, 2) === 0 ? 'eu-west-1' : 'us-east-2',
  }))
  const columns = schema.fields.map(f => {
    const column = createColumn(f, ROWS)
    for (const row of rows) appendValue(column, row[f.name as keyof (typeof rows)[number]])
    return column
  })
  return {
    schema,
    columns,
    length: ROWS,
    selection: null,
    origin: { lane: 0, ranges: [{ topic: 'bench', partition: 0, from: 0, to: ROWS - 1 }] },
    rows: { range: new Int32Array(ROWS), offset: new Float64Array(ROWS), timestamp: new Float64Array(ROWS) },
    rejected: [],
    raw: row => ({ topic: 'bench', partition: 0, offset: row, timestamp: -1, key: null, value: null, headers: [] }),
  }
}

function measure(name: string, config: unknown, budget: number | null, run: (batch: Batch) => void): void {
  for (let i = 0; i < 20; i++) run(batches[i % BATCHES])
  const before = process.cpuUsage()
  for (let i = 0; i < ROUNDS; i++) run(batches[i % BATCHES])
  const { user, system } = process.cpuUsage(before)
  const perRow = Number(((user + system) / (ROUNDS * ROWS)).toPrecision(3))
  process.stdout.write(`${JSON.stringify({ name, config, us_per_row: perRow, budget })}\n`)
}

function measureTransform(name: string, config: unknown, budget: number | null): void {
  const declaration = transforms.find((d): d is TransformDeclaration => d.kind === 'transform' && d.name === name)
  if (!declaration) throw new Error(`there is no transform ${name}`)
  const transform = declaration.create(declaration.config.parse(config), pluginContext)
  transform.bind(schema)
  const context = applyContext(name)
  let live = 0
  measure(name, config, budget, batch => {
    const out = transform.apply(batch, context)
    if (!(out instanceof Promise)) live += liveRows(out)
  })
  if (live === 0) throw new Error(`${name} kept nothing: it measures the wrong thing`)
}

measureTransform('filter', { if: 'cpu > 50' }, 0.02)
measureTransform('filter', { if: 'cpu >= 0.0 && cpu <= 100.0' }, 0.02)
measureTransform('filter', { if: 'bytes > 1000 && status in [200, 204]' }, 0.02)
measureTransform('filter', { if: 'cpu * 2 + mem > 120 && status == 200' }, null)
measureTransform('filter', { if: 'region.startsWith("eu") && mem != null' }, null)
measureTransform('filter', { if: 'cpu > 50 && device.matches("7$")' }, null)
measureTransform('rename', { fields: { cpu: 'load' } }, 0)
measureTransform('drop_fields', { fields: ['region'] }, 0)
measureTransform('cast', { fields: { cpu: 'f32' } }, 0.01)
measureTransform('cast', { fields: { status: 'i64' } }, 0.01)
measureTransform('cast', { fields: { device: 'dictionary' } }, null)
measureTransform('cast', { fields: { bytes: 'utf8' } }, null)
measureTransform('derive', { fields: { load: 'cpu * 0.01 + mem' } }, 0.5)
measureTransform('derive', { fields: { level: 'cpu > 90.0 ? "high" : "normal"' } }, 0.5)
measureTransform('derive', { fields: { id: 'device + "/" + region' } }, 0.5)
measureTransform('derive', { fields: { n: 'size(device)' } }, 0.5)

const View = rowViewClass(schema)
const predicate = (row: InstanceType<typeof View>): boolean => Number(row.cpu) * 2 + Number(row.mem) > 120 && row.status === 200
const view = new View()
let held = 0
measure('row_view', 'three numbers', 0.012, batch => {
  view.cols = batch.columns
  for (let i = 0; i < ROWS; i++) {
    view.row = i
    if (predicate(view)) held++
  }
})
const table = new KeyTable(1)
const ids = new Int32Array(ROWS)
measure('key_table', '10,000 devices', 0.05, batch => {
  table.ids([batch.columns[0]], null, ROWS, ids)
})
if (held === 0 || table.count !== 10_000) throw new Error('row view or key table measured the wrong thing')
