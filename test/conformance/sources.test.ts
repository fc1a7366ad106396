import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { connectors } from '../../connectors'
import { fileConnector } from '../../connectors/file/plugin'
import { generateConnector } from '../../connectors/generate/plugin'
import type { SourceFixture } from '../../runtime/conformance'
import type { SourceDeclaration } from '../../runtime/plugin'
import { conforms } from '../support/conformance'
import { temporaryFolder } from '../support/temporary_folder'

const { path: baseDir } = temporaryFolder()

// three files of different lengths, the second of several chunks; every 50th record is bad
const day = Date.UTC(2024, 0, 1)
for (const [i, rows] of [300, 10_000, 1].entries()) {
  const lines = Array.from({ length: rows }, (_, n) => {
    const ts = new Date(day + n * 60_000 + i * 1000).toISOString()
    return n % 50 === 49 ? `${ts},not a number,"x"` : `${ts},${n / 4},"a ""quoted""\nvalue ${i}"`
  })
  writeFileSync(path.join(baseDir, `part-${i}.csv`), `ts,value,text\r\n${lines.join('\r\n')}${i === 0 ? '' : '\r\n'}`)
}
const json = Array.from({ length: 9000 }, (_, n) => JSON.stringify({ id: n, name: n % 9 === 0 ? null : `n${n}`, tags: [n, 'é'] }))
writeFileSync(path.join(baseDir, 'lines.ndjson.gz'), gzipSync(`${json.join('\n')}\n{"id": 1, broken\n`))

const schema = { ts: 'timestamp(ms)', value: 'f64', text: 'utf8' }
const fixtures: readonly { readonly title: string; readonly of: SourceDeclaration; readonly fixture?: SourceFixture }[] = [
  { title: 'generate', of: generateConnector },
  {
    title: 'generate without keys, with a rate',
    of: generateConnector,
    fixture: {
      config: { for: '2s', rate: '5000/s', interval: '1ms', history: '1h', partitions: 2, fields: { u: { type: 'uuid' } } },
    },
  },
  { title: 'file, one after the other', of: fileConnector, fixture: { baseDir, config: { path: 'part-*.csv', schema } } },
  {
    title: 'file, merged',
    of: fileConnector,
    fixture: {
      baseDir,
      config: { path: ['part-1.csv', 'part-?.csv'], schema, merge_by: 'ts', time: 'ts', columns: { n: 'line_number' } },
    },
  },
  {
    title: 'file, gzip and inferred',
    of: fileConnector,
    fixture: { baseDir, config: { path: 'lines.ndjson.gz', infer: { rows: 50 } } },
  },
]

for (const { title, of, fixture } of fixtures) {
  describe(title, () => conforms(of, fixture ? { source: () => fixture } : {}))
}

for (const d of connectors) {
  if (d.kind !== 'source' || fixtures.some(f => f.of === d)) continue
  describe(d.name, () => conforms(d))
}
