import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { inProcess } from '../../support/in_process'
import { temporaryFolder } from '../../support/temporary_folder'

/** An address that cannot be served is refused before a service starts. */

const folder = temporaryFolder()
const data = path.join(folder.path, 'data')
const file = folder.file(
  'p.yaml',
  `name: p
connections: { kafka: { brokers: embedded } }
flows:
  out:
    source: { type: generate, count: 1, keys: { column: k, count: 1 }, fields: { v: { type: sequence } } }
    sink: { type: kafka, topic: t, value: json }
`,
)
const run = (listen: string, env: Readonly<Record<string, string>> = {}, ...more: readonly string[]) =>
  inProcess(['run', file, '--embedded', '--until-caught-up', '--data', data, '--listen', listen, ...more], env)

test.each([
  ['without a token', '0.0.0.0:0', {}, 'other machines reach this address, and there is no token'],
  ['with a short token', '0.0.0.0:0', { OLAP_CONNECT_TOKEN: 'short' }, 'a token has at least 16 characters'],
  ['that is none', 'here', {}, 'expected HOST:PORT or off'],
  ['of another machine', '192.0.2.1:8083', { OLAP_CONNECT_TOKEN: '0123456789abcdef' }, '--listen 192.0.2.1:8083: '],
])('an address %s', async (_, listen, env, message) => {
  const outcome = await run(listen, env)
  expect([outcome.code, outcome.err]).toEqual([2, expect.stringContaining(message)])
  expect(existsSync(data)).toBe(false)
})

test('a token file that is not there', async () => {
  expect((await run('127.0.0.1:0', {}, '--token-file', 'nowhere')).err).toContain('C012_UNREADABLE_FILE')
  expect(existsSync(data)).toBe(false)
})

test('a port that is taken', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const outcome = await run(`127.0.0.1:${port}`)
  server.close()
  expect([outcome.code, outcome.err]).toEqual([3, expect.stringContaining(`E004_PORT_TAKEN: 127.0.0.1:${port} is taken`)])
  expect(existsSync(data)).toBe(false)
})
