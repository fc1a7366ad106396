import { connectionConfig } from '../../../connectors/clickhouse/config'
import { viewConnector } from '../../../connectors/view/plugin'
import type { Closing } from '../../../runtime/views/contracts'
import { openFileLog } from '../../../runtime/views/file_log'
import { compileView } from '../../../sql/windows/compile'
import { createWindowStore } from '../../../sql/windows/window_store'
import { batchOf, schemaOf } from '../../support/batches'
import { conforms } from '../../support/conformance'
import { temporaryFolder } from '../../support/temporary_folder'
import { viewSpec } from '../../support/views'
import { Harness } from './harness'

/** The shared suite of sources on the windows of a view, the closings of which stand in a file. */

const DATABASE = 'view_source'
const DEVICES = 7
const MINUTES = 120
const T0 = Date.UTC(2024, 0, 31, 23, 0)
const { signal } = new AbortController()
const { path: dataDir } = temporaryFolder()
const spec = viewSpec({ name: 'cpu_5m' })

let harness: Harness
let log: Awaited<ReturnType<typeof openFileLog>>

beforeAll(async () => {
  harness = await Harness.start(DATABASE)
  const schema = schemaOf({ ts: 'timestamp(ms)', device: 'dictionary', cpu: 'f64' })
  const sink = await harness.sink({ table: spec.from, time: 'ts', partition_by: 'day' }, schema, { views: [spec] })
  const rows = Array.from({ length: DEVICES * MINUTES }, (_, i) => ({
    ts: T0 + Math.floor(i / DEVICES) * 60_000,
    device: `d${i % DEVICES}`,
    cpu: i,
  }))
  await sink.write(batchOf(schema, rows), 'one', { resend: false, namedAt: null, behind: new Float64Array(rows.length) })
  const input = { database: DATABASE, table: `${spec.from}__in` }
  const windows = createWindowStore(await compileView(spec, input, DATABASE, harness.store), harness.store)
  const ends = Array.from({ length: MINUTES + 4 }, (_, i) => T0 + 60_000 * (i + 1))
  await windows.finalise(ends, signal)
  log = await openFileLog({ dataDir, pipeline: 'conformance', view: spec.name })
  const closing = (kind: Closing['kind'], end: number): Closing => ({ view: spec.name, watermark: end, windowEnds: [end], kind })
  // the last one has no rows: a closing without records
  await log.append([...ends, T0 + 24 * 3_600_000].flatMap(end => [closing('close', end), closing('final', end)]))
  await log.append([closing('revise', ends[0])])
})
afterAll(async () => {
  await log?.close()
  await harness?.stop()
})

conforms(viewConnector, {
  source: () => ({
    config: { view: spec.name },
    connection: connectionConfig.parse({ url: harness.service.address, database: DATABASE }),
    connectionName: 'clickhouse',
    views: [spec],
    closings: () => ({ kind: 'local', log: async () => log }),
  }),
})
