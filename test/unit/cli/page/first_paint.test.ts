import { withFirst } from '../../../../cli/page/first_paint'
import { builtInRegistry } from '../../../../cli/registry'
import { type StatusServer, serveStatus } from '../../../../cli/server'
import { flowStatus, statusOf } from '../../../support/status'

const TOKEN = 'a-secret-of-some-length'
/** What a message of a service may hold: the end of a script, what replacing takes for its own, a comment. */
const MESSAGE = 'no </script><script>alert(1)</script> $& $` <!-- <script>'

const servers: StatusServer[] = []
afterEach(() => Promise.all(servers.splice(0).map(s => s.close())))

async function open(token: string | null): Promise<string> {
  const problem = { code: 'S001_STORE_ERROR', message: MESSAGE }
  const server = await serveStatus('127.0.0.1', 0, {
    metrics: async () => '',
    health: () => ({ ok: true, failed: [] }),
    status: () => statusOf({ flows: [flowStatus({ flow: 'cellar', state: 'failed', problem })] }),
    access: { token, host: '127.0.0.1' },
    page: { pipelines: [], registry: builtInRegistry(), dataDir: '.', scrub: text => text },
  })
  servers.push(server)
  return server.address
}

test('the page has the state of the moment in it, whatever its texts are', async () => {
  const response = await fetch(`${await open(null)}/`)
  const html = await response.text()
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(html.match(/<script\b/g)).toHaveLength(2)
  const json = /<script type="application\/json" id="first">(.*)<\/script>/.exec(html)?.[1] ?? ''
  expect(JSON.parse(json)).toMatchObject({
    state: { status: { flows: [{ flow: 'cellar', problem: { message: MESSAGE } }] }, verdict: { level: 'critical' } },
    views: [],
  })
})

test('without the token nothing of it is there', async () => {
  const address = await open(TOKEN)
  for (const url of ['/', '/?token=wrong']) {
    const response = await fetch(address + url)
    expect(response.status).toBe(401)
    expect(await response.text()).not.toContain('cellar')
  }
  const response = await fetch(`${address}/`, { headers: { authorization: `Bearer ${TOKEN}` } })
  expect(await response.text()).toContain('cellar')
})

test('a page without a place for it is refused', () => expect(() => withFirst('<html></html>', {})).toThrow('no place'))
