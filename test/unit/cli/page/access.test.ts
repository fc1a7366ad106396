import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import { admit, isLoopback } from '../../../../cli/page/access'
import { inProcess } from '../../../support/in_process'
import { temporaryFolder } from '../../../support/temporary_folder'

const TOKEN = 'a-secret-of-some-length'
const folder = temporaryFolder()

const open = (token: string | null, host = '127.0.0.1') => {
  const app = fastify()
  app.addHook('onRequest', (request, reply) => admit({ token, host }, request, reply))
  app.get('/', async () => 'page')
  return app
}
const get = async (app: ReturnType<typeof open>, url: string, headers: Record<string, string> = {}) => {
  const { statusCode, headers: got, body } = await app.inject({ url, headers: { host: '127.0.0.1:8083', ...headers } })
  return { code: statusCode, location: got.location, cookie: got['set-cookie'] as string | undefined, body }
}

test('without a token everybody on this machine may read', async () => {
  expect(await get(open(null), '/')).toMatchObject({ code: 200, body: 'page' })
})

test.each(['evil.example', 'evil.example:8083', '127.0.0.1.evil.example'])(
  'a name that points here (%s) is refused',
  async host => {
    expect(await get(open(null), '/', { host })).toMatchObject({ code: 403 })
  },
)

test.each(['localhost:8083', '127.0.0.1', '[::1]:8083'])('%s is this machine', async host => {
  expect(await get(open(null), '/', { host })).toMatchObject({ code: 200 })
})

test('with a token nothing is answered without it', async () => {
  const app = open(TOKEN, '0.0.0.0')
  expect(await get(app, '/')).toMatchObject({ code: 401 })
  expect(await get(app, '/', { authorization: `Bearer ${TOKEN}x` })).toMatchObject({ code: 401 })
  expect(await get(app, '/?token=wrong')).toMatchObject({ code: 401, cookie: undefined })
  expect(await get(app, '/?token=')).toMatchObject({ code: 401 })
  expect(await get(app, '/', { cookie: 'olap_connect=wrong' })).toMatchObject({ code: 401 })
  expect(await get(app, '/', { cookie: `olap_connect=${TOKEN}` })).toMatchObject({ code: 401 })
  expect(await get(app, '/', { authorization: `Bearer ${TOKEN}` })).toMatchObject({ code: 200 })
})

test('a token in the address becomes a cookie that scripts cannot read, and leaves the address', async () => {
  const app = open(TOKEN, '0.0.0.0')
  const first = await get(app, `/?token=${TOKEN}&view=a`)
  expect(first).toMatchObject({ code: 303, location: '/?view=a' })
  expect(first.cookie).toMatch(/; HttpOnly; SameSite=Lax/)
  expect(first.cookie).not.toContain(TOKEN)
  expect(await get(app, '/', { cookie: `other=1; ${first.cookie?.split(';')[0]}` })).toMatchObject({ code: 200 })
})

test('the address after the token stays on this server', async () => {
  expect(await get(open(TOKEN), `//evil.example/?token=${TOKEN}`)).toMatchObject({ location: '/' })
  expect(await get(open(TOKEN), `/%2F/evil.example?token=${TOKEN}`)).toMatchObject({ location: '/%2F/evil.example' })
  // only a client that sends the path as it is gets this one through
  const app = open(TOKEN)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const [answer] = (await once(request({ port, path: `/.//evil.example/?token=${TOKEN}` }).end(), 'response')) as [
    IncomingMessage,
  ]
  expect([answer.statusCode, answer.headers.location]).toEqual([303, '/evil.example/'])
  answer.resume()
  await app.close()
})

test.each([
  ['127.0.0.1', true],
  ['127.8.0.1', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['127.0.0.1.example', false],
])('loopback: %s %p', (host, is) => expect(isLoopback(host)).toBe(is))

const pipeline = `name: p
connections: {kafka: {brokers: "127.0.0.1:1"}}
flows: {a: {source: {type: generate, keys: {column: k, count: 1}, fields: {x: {type: series, base: 1}}}, sink: {type: stdout}}}
`

test('an address that others reach is refused without a token, and with a short one', async () => {
  const file = folder.file('p.yaml', pipeline)
  const args = ['run', file, '--listen', '0.0.0.0:0', '--data', folder.path]
  expect(await inProcess(args)).toMatchObject({ code: 2, err: expect.stringContaining('OLAP_CONNECT_TOKEN') })
  expect(await inProcess(args, { OLAP_CONNECT_TOKEN: 'short' })).toMatchObject({
    code: 2,
    err: expect.stringContaining('16 characters'),
  })
  expect(await inProcess([...args, '--token-file', folder.file('none', '')])).toMatchObject({ code: 2 })
})
