import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { asConnectError, ConnectError, type ErrorCode } from '../../runtime/errors'
import type { Status } from '../../runtime/status'
import { AnomalyFeed, type FeedOptions } from './anomaly_feed'
import { loadAssets } from './assets'
import { EventStream, MOST_CLIENTS } from './event_stream'
import { withFirst } from './first_paint'
import { KeyLists } from './keys'
import { RecentLetters } from './recent_letters'
import { type Key, MOST_KEYS, MOST_WINDOWS, readSeries } from './series'
import { verdictOf } from './verdict'
import { isNumber, type ShownView, ViewStores, viewsOf } from './views'

export interface PageOptions extends FeedOptions {
  status(): Status
}

/** No script, style or request from anywhere else, and nothing inline. */
const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export const SECURITY_HEADERS = {
  'content-security-policy': CSP,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const

/** Longest time for which the page itself waits for what is in the topics. */
const FIRST_PAINT_MS = 1_000
/** Series that are read at the same time, for all browsers together; more wait their turn or are sent away. */
const MOST_QUESTIONS = 64

/** The page and its data under `/` and `/api/`. Everything is read-only. Returns what must be closed after the server. */
export function addPage(app: FastifyInstance, options: PageOptions): { close(): Promise<void> } {
  const views = viewsOf(options.pipelines)
  const stores = new ViewStores()
  const keyLists = new KeyLists(stores)
  const feed = new AnomalyFeed(options)
  const letters = new RecentLetters()
  const state = () => {
    const status = options.status()
    const feeds = feed.states()
    const observed = { status, anomalies: feed.list.latest(), feeds, deadLetters: letters.of(status) }
    return { status, feeds, verdict: verdictOf(observed) }
  }
  const stream = new EventStream({ state, onAnomaly: listener => feed.list.onChange(listener) })
  let questions = 0

  const assets = loadAssets()
  const html = String(assets.get('/')?.body)
  app.get('/', async (_, reply) => {
    // who looks first would else be told that anomalies are being read
    await feed.read(FIRST_PAINT_MS)
    const first = { state: state(), views: views.map(describe) }
    return reply.header('cache-control', 'no-store').type('text/html; charset=utf-8').send(withFirst(html, first))
  })

  for (const [url, { type, body, etag }] of assets) {
    if (url === '/') continue
    app.get(url, async (request, reply) => {
      reply.header('etag', etag).header('cache-control', 'no-cache')
      if (request.headers['if-none-match'] === etag) return reply.code(304).send()
      return reply.type(type).send(body)
    })
  }

  app.get('/api/events', async (_, reply) => {
    if (stream.full) return reply.code(503).send(refusal('S002_STORE_BUSY', `${MOST_CLIENTS} browsers look already`))
    feed.start()
    reply.hijack()
    reply.raw.writeHead(200, {
      ...SECURITY_HEADERS,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // for proxies that gather answers
      'x-accel-buffering': 'no',
    })
    stream.add(reply.raw)
  })

  app.get('/api/anomalies', async () => {
    await feed.read()
    return { feeds: feed.states(), anomalies: feed.list.latest() }
  })

  app.get('/api/views', async (_, reply) => answer(reply, async () => ({ views: views.map(describe) })))

  app.get('/api/views/:name/keys', (request, reply) =>
    asked(reply, async () => {
      feed.start()
      const { pipeline, ...question } = keyQuery.parse(request.query)
      return keyLists.page(find(views, request, pipeline), question, feed.list.latest(), state().verdict.findings)
    }),
  )

  app.get('/api/views/:name', (request, reply) =>
    asked(reply, async signal => {
      const { pipeline, key, from, to, windows } = seriesQuery.parse(request.query)
      const shown = find(views, request, pipeline)
      const keys = shown.view.keys.length === 0 ? [[]] : key.map(text => keyOf(text))
      const columns = (await stores.columns(shown, signal)).filter(c => isNumber(c) && c.name !== '_rev')
      const series = await readSeries(shown, stores, options.registry, { keys, from, to, windows }, signal)
      return { view: shown.view.name, columns: columns.map(c => c.name).filter(c => !shown.view.keys.includes(c)), series }
    }),
  )

  /** Answers a question to the store; it ends when the browser goes away. */
  async function asked(reply: FastifyReply, work: (signal: AbortSignal) => Promise<unknown>) {
    if (questions >= MOST_QUESTIONS)
      return reply.code(503).send(refusal('S002_STORE_BUSY', 'too many questions at the same time'))
    const gone = new AbortController()
    reply.raw.once('close', () => gone.abort(new ConnectError('R003_ABORTED', 'the browser has gone')))
    questions++
    return answer(reply, () => work(gone.signal)).finally(() => {
      questions--
    })
  }

  async function answer(reply: FastifyReply, work: () => Promise<unknown>): Promise<FastifyReply> {
    try {
      return await reply.header('cache-control', 'no-store').send(await work())
    } catch (thrown) {
      if (thrown instanceof z.ZodError) return reply.code(400).send(refusal('C005_INVALID_VALUE', z.prettifyError(thrown)))
      const error = asConnectError(thrown)
      const code = error.code === 'C010_UNKNOWN_REFERENCE' ? 404 : error.exitCode === 2 ? 400 : error.retriable ? 503 : 500
      return reply.code(code).send(refusal(error.code, options.scrub(error.message)))
    }
  }

  return {
    async close() {
      stream.close()
      await Promise.all([feed.close(), stores.close()])
    },
  }
}

const refusal = (code: ErrorCode, message: string) => ({ error: { code, message } })

const text = z.string().max(1_000)
const whole = (least: number, most: number) => z.coerce.number().pipe(z.int().min(least).max(most))
/** Milliseconds since 1970, or ISO 8601. */
const moment = text
  .transform(t => (/^-?\d+$/.test(t) ? Number(t) : Date.parse(t)))
  .pipe(z.int())
  .nullable()
  .default(null)

const keyQuery = z.object({
  pipeline: text.optional(),
  search: text.default(''),
  offset: whole(0, 1_000_000).default(0),
  limit: whole(1, 2_000).default(100),
})

const seriesQuery = z.object({
  pipeline: text.optional(),
  key: z
    .union([text, z.array(text).max(MOST_KEYS)])
    .default([])
    .transform(k => (typeof k === 'string' ? [k] : k)),
  from: moment,
  to: moment,
  windows: whole(1, MOST_WINDOWS).default(240),
})

/** `["a","b"]` for several key columns; for one, its text will do. */
function keyOf(value: string): Key {
  if (!value.startsWith('[')) return [value]
  try {
    return z.array(z.string()).parse(JSON.parse(value))
  } catch (cause) {
    throw new ConnectError('C005_INVALID_VALUE', `key: ${value} is no list of texts`, { cause })
  }
}

function find(views: readonly ShownView[], request: FastifyRequest, pipeline: string | undefined): ShownView {
  const { name } = request.params as { readonly name: string }
  const found = views.filter(v => v.view.name === name && (pipeline === undefined || v.pipeline.name === pipeline))
  if (found.length === 0) throw new ConnectError('C010_UNKNOWN_REFERENCE', `there is no view ${name} with windows`)
  if (found.length > 1) throw new ConnectError('C019_USAGE', `several pipelines have a view ${name}: add ?pipeline=`)
  return found[0]
}

/** A view as `/api/views` lists it. */
export const describe = ({ pipeline, view, watchedBy }: ShownView) => ({
  pipeline: pipeline.name,
  name: view.name,
  from: view.from,
  keys: view.keys,
  columns: Object.keys(view.columns),
  size_ms: view.window.size,
  slide_ms: view.window.slide,
  detectors: watchedBy.map(({ flow, name, spec, features }) => ({ flow, name, type: spec.type, features })),
})
