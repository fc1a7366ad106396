import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect, runResult } from '../support/connect'
import { ends, needsServices, referenceExamples, writeExample } from '../support/reference'

/** The YAML of the reference that needs services runs on the embedded ones; all together, as they share what is started for them. */

const folder = mkdtempSync(path.join(tmpdir(), 'olap-connect-reference-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('every one that ends reads and writes all it makes', async () => {
  const examples = referenceExamples().filter(e => needsServices(e) && ends(e) && /embedded/.test(e.yaml))
  expect(examples.length).toBeGreaterThan(8)
  const files = examples.map((example, i) => writeExample(example, path.join(folder, String(i))))
  const outcome = await connect(
    ['run', ...files, '--embedded', '--until-caught-up', '--json', '--listen', 'off', '--data', 'data'],
    {
      cwd: folder,
    },
  )
  // what stdout sinks print comes before the envelope
  const { flows } = runResult({ ...outcome, stdout: outcome.stdout.trim().split('\n').at(-1) ?? '' })
  expect(outcome.code).toBe(0)
  expect(Object.keys(flows).length).toBeGreaterThan(examples.length)
  for (const [name, { read, written, dead_lettered }] of Object.entries(flows))
    expect({ name, read, written, dead_lettered }).toEqual({ name, read: 100, written: 100, dead_lettered: 0 })
})
