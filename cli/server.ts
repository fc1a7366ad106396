import fastify from 'fastify'
import { ConnectError } from '../runtime/errors'
import type { Status } from '../runtime/status'
import { type Access, admit } from './page/access'
import type { FeedOptions } from './page/anomaly_feed'
import { addPage, SECURITY_HEADERS } from './page/routes'
import { serveTap, type TapPages } from './tap'

export interface StatusServer {
  readonly address: string
  close(): Promise<void>
}

export interface StatusPages {
  metrics(): Promise<string>
  /** False answers 503. */
  health(): { readonly ok: boolean; readonly failed: readonly string[] }
  status(): Status
  readonly access: Access
  /** Of what runs, for the page. */
  readonly page: FeedOptions
  /** Absent: nobody can look at rows. */
  readonly tap?: TapPages
}

/**
 * Serves the page, its data under /api/, /metrics (Prometheus), /health and /api/status (JSON), also as /status. With a token
 * everything asks for it but /health, which then says no names. Throws E004 if the port is taken.
 */
export async function serveStatus(host: string, port: number, pages: StatusPages): Promise<StatusServer> {
  const { access } = pages
  const { scrub } = pages.page
  const app = fastify({ logger: false, forceCloseConnections: true })
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS)
    if (request.routeOptions.url !== '/health') await admit(access, request, reply)
  })
  // messages of errors may carry what a service was asked with
  const status = (): Status =>
    JSON.parse(JSON.stringify(pages.status(), (_, value) => (typeof value === 'string' ? scrub(value) : value))) as Status
  app.get('/metrics', async (_, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(await pages.metrics()))
  app.get('/health', async (_, reply) => {
    const health = pages.health()
    return reply.code(health.ok ? 200 : 503).send(access.token === null ? health : { ok: health.ok })
  })
  for (const at of ['/api/status', '/status']) app.get(at, async () => status())
  if (pages.tap) serveTap(app, pages.tap)
  const page = addPage(app, { ...pages.page, status })
  const close = async (): Promise<void> => {
    await page.close()
    await app.close()
  }
  try {
    return { address: await app.listen({ host, port }), close }
  } catch (cause) {
    await close()
    if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE')
      throw new ConnectError('E004_PORT_TAKEN', `${host}:${port} is taken`, { cause })
    throw cause
  }
}
