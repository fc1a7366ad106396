import { ConnectError } from '../../runtime/errors'

/** Tokens for SASL/OAUTHBEARER: a fixed one, or fetched by the client credentials grant (RFC 6749, section 4.4) and kept until shortly before they expire. */

export interface TokenSource {
  readonly token?: string
  readonly token_endpoint?: string
  readonly client_id?: string
  readonly client_secret?: string
  readonly scope?: string
}

const REQUEST_TIMEOUT_MS = 10_000
/** A token is renewed when this much of its life is left, so that it does not expire on its way. */
const RENEW_BEFORE_MS = 30_000
/** RFC 6749 only recommends `expires_in`; without it a token is fetched again after this time. */
const ASSUMED_LIFE_MS = 300_000

export function tokenProvider(source: TokenSource): () => Promise<{ readonly value: string }> {
  if (source.token !== undefined) {
    const value = source.token
    return async () => ({ value })
  }
  let kept: { readonly value: string; readonly until: number } | null = null
  return async () => {
    if (kept && Date.now() < kept.until) return kept
    kept = await fetchToken(source)
    return kept
  }
}

async function fetchToken(source: TokenSource): Promise<{ readonly value: string; readonly until: number }> {
  const endpoint = source.token_endpoint ?? ''
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(source.scope === undefined ? {} : { scope: source.scope }),
  })
  const credentials = Buffer.from(
    `${encodeURIComponent(source.client_id ?? '')}:${encodeURIComponent(source.client_secret ?? '')}`,
  )
  let response: Response
  try {
    response = await fetch(endpoint, {
      method: 'POST',
      headers: { authorization: `Basic ${credentials.toString('base64')}`, accept: 'application/json' },
      body,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    })
  } catch (error) {
    throw new ConnectError('E001_UNREACHABLE', `no token from ${endpoint}: ${error instanceof Error ? error.message : error}`)
  }
  // the answer of a refusal may repeat what was sent, so only its status is shown
  if (!response.ok) throw new ConnectError('E003_AUTHENTICATION', `${endpoint} refused a token: HTTP ${response.status}`)
  const answer: unknown = await response.json().catch(() => null)
  if (typeof answer !== 'object' || answer === null || !('access_token' in answer) || typeof answer.access_token !== 'string') {
    throw new ConnectError('E003_AUTHENTICATION', `${endpoint} answered without an access_token`)
  }
  const life = 'expires_in' in answer ? Number(answer.expires_in) * 1000 : Number.NaN
  return { value: answer.access_token, until: Date.now() + (life > 0 ? life : ASSUMED_LIFE_MS) - RENEW_BEFORE_MS }
}
