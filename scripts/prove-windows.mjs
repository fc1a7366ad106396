// npm run prove:windows -- --cases 500 --seed 7 --json
// Random streams against a plain computation of their windows, as in the tests but more of them: most of them into the table, one in
// ten (--pipeline says otherwise) through a broker and the engine, with workers that restart, join and leave. Needs a build (dist/).
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '500' },
    pipeline: { type: 'string' },
    seed: { type: 'string', default: '7' },
    json: { type: 'boolean' },
  },
})
const whole = Number(values.pipeline ?? Math.ceil(Number(values.cases) / 10))
const folder = mkdtempSync(path.join(tmpdir(), 'prove-windows-'))
const result = path.join(folder, 'result.json')
const jest = path.join(import.meta.dirname, '../node_modules/jest/bin/jest.js')
const run = spawnSync(process.execPath, [jest, '--runInBand', '--testPathPatterns', 'windows_property'], {
  env: {
    ...process.env,
    PROVE_CASES: String(Number(values.cases) - whole),
    PROVE_PIPELINE_CASES: String(whole),
    PROVE_SEED: values.seed,
    PROVE_RESULT: result,
  },
  stdio: ['ignore', 2, 2],
})
const summary = { ok: false, cases: 0, mismatches: 0 }
try {
  for (const line of readFileSync(result, 'utf8').trim().split('\n')) {
    const part = JSON.parse(line)
    summary.cases += part.cases
    summary.mismatches += part.mismatches
  }
  summary.ok = run.status === 0 && summary.cases === Number(values.cases) && summary.mismatches === 0
} catch {
  // the run ended before its first case; what went wrong stands above
}
rmSync(folder, { recursive: true, force: true })
process.stdout.write(
  values.json
    ? `${JSON.stringify(summary)}\n`
    : `${summary.cases} cases (${whole} through broker and engine), ${summary.mismatches} mismatches\n`,
)
process.exitCode = summary.ok ? 0 : 1
