// Runs the suites of the Kafka connector, the kills and the benchmark's data against Apache Kafka. Needs Java and Maven; without
// them it says so and ends well, because a bare machine has neither.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const tools = { java: '-version', mvn: '-v' }
const missing = Object.keys(tools).filter(tool => spawnSync(tool, [tools[tool]]).status !== 0)
if (missing.length > 0) {
  console.log(`SKIPPED: the suites against Apache Kafka need ${missing.join(' and ')}, which is not installed`)
  process.exit(0)
}
const jest = createRequire(import.meta.url).resolve('jest/bin/jest')
const args = [jest, '--config', 'jest.kafka.config.js', '--runInBand', ...process.argv.slice(2)]
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
process.exit(status ?? 1)
