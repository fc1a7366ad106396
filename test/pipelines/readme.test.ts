import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect, type Outcome } from '../support/connect'

/** Every command of the README's blocks is run here, or by the test that is named. One without a case fails. */

const root = path.resolve(__dirname, '../..')
const readme = readFileSync(path.join(root, 'README.md'), 'utf8')
const lines = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(m => m[1].split('\n')).filter(l => l.trim() !== '')

const EXAMPLE = 'config/examples/ec2-cpu.yaml'
let cwd: string

beforeAll(() => {
  // the files are where the README says, and the data folder is not the clone's own
  cwd = mkdtempSync(path.join(tmpdir(), 'olap-connect-readme-'))
  symlinkSync(path.join(root, 'config'), path.join(cwd, 'config'))
})
afterAll(() => rmSync(cwd, { recursive: true, force: true }))

const words = (line: string): readonly string[] => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(m => m[1] ?? m[2])
const run = (line: string): Promise<Outcome> => connect(words(line).slice(1), { cwd })

/** In the order of the README, because what one leaves the next one looks at. */
const CASES: Readonly<Record<string, (line: string) => Promise<void> | void>> = {
  'npm ci && npm run demo': byTest('test/pipelines/demo.test.ts', 'demo'),
  'npm ci && npm test': byTest('package.json', '"test":'),
  'npm run demo -- --for 45s --json': byTest('test/pipelines/demo.test.ts', 'demo'),
  'alias connect="node $PWD/dist/cli/main.js"': byTest('dist/cli/main.js', '#!/usr/bin/env node'),
  [`connect validate ${EXAMPLE}`]: async line => {
    expect(await run(line)).toMatchObject({ code: 0, stderr: '' })
  },
  [`connect run ${EXAMPLE} --embedded --for 30s`]: async line => {
    const outcome = await run(`${line.replace('30s', '12s')} --listen off`)
    expect({ code: outcome.code, end: outcome.stderr.slice(-300) }).toMatchObject({ code: 0 })
  },
  [`connect tail ${EXAMPLE} ec2.anomalies --from beginning --limit 3`]: async line => {
    const outcome = await run(line)
    expect(outcome.code).toBe(0)
    for (const record of outcome.stdout.trim().split('\n').filter(Boolean)) expect(JSON.parse(record)).toHaveProperty('score')
  },
  [`connect sql ${EXAMPLE} "SELECT device, count(), round(avg(cpu), 1) FROM cpu GROUP BY device ORDER BY device"`]:
    async line => {
      const { code, stdout } = await run(line)
      expect([code, stdout.trim().split('\n').length]).toEqual([0, 21])
    },
  'export KAFKA_BROKERS=kafka-1:9092,kafka-2:9092 SCHEMA_REGISTRY_URL=http://registry:8081 CLICKHOUSE_URL=http://clickhouse:8123':
    byTest('test/support/connect.ts', 'CLICKHOUSE_URL: clickhouse.address'),
  [`connect run ${EXAMPLE}`]: byTest('test/pipelines/command_line.test.ts', 'SIGTERM ends it well'),
}

/** Covered elsewhere: the file is there and says so. */
function byTest(file: string, says: string): () => void {
  return () => {
    expect(existsSync(path.join(root, file))).toBe(true)
    expect(readFileSync(path.join(root, file), 'utf8')).toContain(says)
  }
}

test('there are commands', () => expect(lines.length).toBeGreaterThan(5))

test('no case is left over', () => expect(Object.keys(CASES).filter(c => !lines.includes(c))).toEqual([]))

test.each(lines)('%s', async line => {
  const known = CASES[line]
  if (!known) throw new Error('no case runs this command: add one here')
  await known(line)
})
