import fastify from 'fastify'
import { ConnectError } from '../runtime/errors'
import type { Status } from '../runtime/status'

export interface StatusServer {
  readonly address: string
  close(): Promise<void>
}

export interface StatusPages {
  metrics(): Promise<string>
  /** False answers 503. */
  health(): { readonly ok: boolean }
  status(): Status
}

/** Serves /metrics (Prometheus), /health and /api/status (JSON), also as /status. Throws E004 if the port is taken. */
export async function serveStatus(host: string, port: number, pages: StatusPages): Promise<StatusServer> {
  const app = fastify({ logger: false, forceCloseConnections: true })
  app.get('/metrics', async (_, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(await pages.metrics()))
  app.get('/health', async (_, reply) => {
    const health = pages.health()
    return reply.code(health.ok ? 200 : 503).send(health)
  })
  for (const at of ['/api/status', '/status']) app.get(at, async () => pages.status())
  try {
    return { address: await app.listen({ host, port }), close: () => app.close() }
  } catch (cause) {
    await app.close()
    if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE')
      throw new ConnectError('E004_PORT_TAKEN', `${host}:${port} is taken`, { cause })
    throw cause
  }
}
