// npm run prove:windows -- --cases 500 --seed 7 --json
// Random streams against a plain computation of their windows, as in the tests but more of them. Needs a build (dist/).
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { cases: { type: 'string', default: '500' }, seed: { type: 'string', default: '7' }, json: { type: 'boolean' } },
})
const folder = mkdtempSync(path.join(tmpdir(), 'prove-windows-'))
const result = path.join(folder, 'result.json')
const jest = path.join(import.meta.dirname, '../node_modules/jest/bin/jest.js')
const run = spawnSync(process.execPath, [jest, '--testPathPatterns', 'integration/clickhouse/windows_property'], {
  env: { ...process.env, PROVE_CASES: values.cases, PROVE_SEED: values.seed, PROVE_RESULT: result },
  stdio: ['ignore', 2, 2],
})
let summary = { ok: false, cases: 0, mismatches: 0 }
try {
  summary = JSON.parse(readFileSync(result, 'utf8'))
} catch {
  // the run ended before its first case; what went wrong stands above
}
rmSync(folder, { recursive: true, force: true })
const { ok, cases, mismatches } = summary
process.stdout.write(values.json ? `${JSON.stringify(summary)}\n` : `${cases} cases, ${mismatches} mismatches\n`)
process.exitCode = run.status === 0 && ok ? 0 : 1
