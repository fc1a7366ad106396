import { createHmac, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'

const COOKIE = 'olap_connect'

/** Who may read what `--listen` serves. Null token: everybody who reaches the address. */
export interface Access {
  readonly token: string | null
  /** The address that is listened on. */
  readonly host: string
}

/** True where only programs of this machine can connect. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'))

/**
 * Lets a request pass, or answers it: 401 without the token, 403 for a name that is not this machine's. The token comes as
 * `Authorization: Bearer`, or once as `?token=`, which is answered with a cookie and the same address without it, so that it
 * stays out of histories and of what is copied from the address bar. The cookie is made of the token, not the token.
 */
export async function admit(access: Access, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { token } = access
  if (token === null) {
    // a web page elsewhere may let its own name point to this machine (DNS rebinding): the browser then sends that name
    if (isLoopback(access.host) && !isLoopback(nameOf(request.headers.host ?? '')))
      await reply.code(403).send({ error: { code: 'C019_USAGE', message: 'open this page by the address that is listened on' } })
    return
  }
  const given = tokenInQuery(request.url)
  if (given !== null) {
    if (!same(given, token)) return refuse(reply)
    const cookie = `${COOKIE}=${cookieOf(token)}; HttpOnly; SameSite=Lax; Path=/`
    await reply.header('set-cookie', cookie).redirect(withoutToken(request.url), 303)
    return
  }
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (bearer !== undefined && same(bearer, token)) return
  const cookie = new RegExp(`(?:^|; *)${COOKIE}=([^;]+)`).exec(request.headers.cookie ?? '')?.[1]
  if (cookie !== undefined && same(cookie, cookieOf(token))) return
  return refuse(reply)
}

async function refuse(reply: FastifyReply): Promise<void> {
  await reply
    .code(401)
    .header('www-authenticate', 'Bearer')
    .type('text/plain; charset=utf-8')
    .send('A token is needed: open the page once as /?token=..., or send it as `Authorization: Bearer ...`.\n')
}

/** Digests of equal length are compared, so that neither the length nor the first different byte shows in the time it takes. */
function same(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHmac('sha256', 'compare').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

const cookieOf = (token: string): string => createHmac('sha256', token).update('olap-connect page').digest('base64url')

const nameOf = (host: string): string => host.replace(/:\d+$/, '')

const tokenInQuery = (url: string): string | null => new URL(url, 'http://x').searchParams.get('token')

function withoutToken(url: string): string {
  const { pathname, searchParams } = new URL(url, 'http://x')
  searchParams.delete('token')
  // one slash: two would name another host
  return `/${pathname.replace(/^\/+/, '')}${searchParams.size > 0 ? `?${searchParams}` : ''}`
}
