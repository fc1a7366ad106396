import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { post } from '../../../sql/transport'

test('a request that is given up fails once: nothing is left that would end the process', async () => {
  const server = http.createServer(() => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const agent = new http.Agent()
  const unheard: unknown[] = []
  const hear = (reason: unknown): void => void unheard.push(reason)
  process.on('unhandledRejection', hear)
  try {
    const giveUp = new AbortController()
    const endpoint = { url: new URL(`http://127.0.0.1:${port}`), where: 'a store', agent, username: '', password: '' }
    const arrived = once(server, 'request')
    const answer = post(endpoint, { body: [], search: {}, signal: giveUp.signal, timeout: 60_000 })
    const [request] = (await arrived) as [http.IncomingMessage]
    const gone = once(request.socket, 'close')
    giveUp.abort()
    await expect(answer).rejects.toMatchObject({ code: 'R003_ABORTED' })
    await gone
    for (let i = 0; i < 5; i++) await turn()
    expect(unheard).toEqual([])
  } finally {
    process.off('unhandledRejection', hear)
    agent.destroy()
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
})
