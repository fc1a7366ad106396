// Runs the shared suite on the sample plugins as their authors would: plain Node, no test framework, the built package by name.
// Prints one line of JSON for each test: {plugin, name, skip, error}.
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { conformance } from 'olap-connect/conformance'
import sink from './sample_sink.cjs'
import transform from './sample_transform.mjs'

const folder = await mkdtemp(path.join(tmpdir(), 'third-party-'))
let targets = 0
const fixture = {
  sink: () => {
    const file = path.join(folder, `rows-${targets++}.jsonl`)
    const ids = async () => {
      if (!existsSync(file)) return []
      const lines = (await readFile(file, 'utf8')).split('\n').filter(Boolean)
      return lines.flatMap(line => JSON.parse(line).rows.map(row => row.id))
    }
    return { config: { path: file }, ids }
  },
}

try {
  for (const declaration of [sink, transform]) {
    for (const { name, skip, run } of conformance(declaration, fixture)) {
      const error =
        skip === null
          ? await run().then(
              () => null,
              thrown => thrown.message,
            )
          : null
      console.log(JSON.stringify({ plugin: declaration.name, name, skip, error }))
    }
  }
} finally {
  await rm(folder, { recursive: true })
}
