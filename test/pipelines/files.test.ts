import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Bench, CONNECTIONS, envelopeOf, runResult, startBench } from '../support/connect'

/** Files into a table, run after run, while the user changes how their path is written. */

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench?.stop())

const ROWS = 1_000

/** Numbers from `first` on as one CSV file. */
function write(name: string, first: number): void {
  const file = path.join(bench.folder, name)
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, `n\n${Array.from({ length: ROWS }, (_, i) => first + i).join('\n')}\n`)
}

test('a path that is written in another way reads no record a second time', async () => {
  const name = bench.unique('files')
  const run = (where: string) =>
    bench.run(
      bench.file(
        'files.yaml',
        `name: ${name}
${CONNECTIONS}
flows:
  load:
    source: {type: file, path: ${where}, schema: {n: i64}, merge_by: n}
    sink: {type: clickhouse, table: files, order_by: [n]}
`,
      ),
    )
  const written = async (where: string): Promise<number> => runResult(await run(where)).flows.load.written
  const table = async () => (await bench.sql('SELECT count() AS rows, uniqExact(n) AS distinct FROM {db}.files'))[0]
  const hold = (rows: number) => ({ rows: String(rows), distinct: String(rows) })

  write('data/a.csv', 0)
  write('data/b.csv', ROWS)
  write('more/c.csv', 2 * ROWS)
  expect(await written('data/*.csv')).toBe(2 * ROWS)
  for (const same of ['data', './data/*.csv', '[data/b.csv, data/a.csv]']) {
    expect([same, await written(same), await table()]).toEqual([same, 0, hold(2 * ROWS)])
  }
  expect([await written('"*/*.csv"'), await table()]).toEqual([ROWS, hold(3 * ROWS)])
  // what it would leave behind is said, and nothing is read
  const narrower = await run('data/a.csv')
  expect([narrower.code, envelopeOf(narrower).error?.code, await table()]).toEqual([1, 'P001_POSITION_STOP', hold(3 * ROWS)])
  write('data/d.csv', 3 * ROWS)
  expect([await written('[data, more]'), await table()]).toEqual([ROWS, hold(4 * ROWS)])
})
