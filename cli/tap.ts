import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ConnectError } from '../runtime/errors'
import type { PipelineSpec } from '../runtime/spec'
import { type FlowTaps, stageNames, stageOf, type Taps } from '../runtime/tap'

/** Rows that one request may ask for, requests at a time, and bytes that wait for a slow reader before rows are left out. */
const MOST_ROWS = 10_000
const MOST_TAPS = 8
const MOST_WAITING_BYTES = 1024 ** 2

/** Fields that hold what is nobody's business, by the names people give them. */
const SECRET =
  /passw(or)?d|passphrase|secret|token|api_?key|access_?key|private_?key|credential|authorization|cookie|iban|card_?number|cvv|(^|_)(ssn|pin)($|_)/i

export interface TapPages {
  readonly taps: Taps
  readonly pipelines: readonly PipelineSpec[]
  /** False once a flow has ended. */
  readonly runs: (pipeline: string, flow: string) => boolean
  readonly scrub: (text: string) => string
}

interface Place {
  readonly taps: FlowTaps
  readonly stage: number
}

/**
 * `GET /api/tap?at=[PIPELINE/]FLOW.STAGE&limit=N&mask=a,b`: rows as they pass a stage, one JSON object a line, until there are enough,
 * the flow ends or the reader goes. Only for programs on this machine.
 */
export function serveTap(app: FastifyInstance, pages: TapPages): void {
  let open = 0
  app.get('/api/tap', (request, reply) => {
    if (!isLocal(request)) return refuse(reply, 403, 'E007_AUTHORIZATION', 'rows are shown on this machine only')
    if (open >= MOST_TAPS) return refuse(reply, 429, 'E001_UNREACHABLE', `${MOST_TAPS} others look already`)
    const query = request.query as Readonly<Record<string, unknown>>
    const limit = Number(query.limit ?? 10)
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST_ROWS)
      return refuse(reply, 400, 'C019_USAGE', `limit: expected a whole number from 1 to ${MOST_ROWS}`)
    let place: Place
    try {
      place = findPlace(String(query.at ?? ''), pages)
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error
      return refuse(reply, error.code === 'C019_USAGE' ? 400 : 404, error.code, error.message)
    }
    const masked = new Set(String(query.mask ?? '').split(','))
    open++
    reply.hijack()
    const { raw } = reply
    raw.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
    raw.flushHeaders()
    const remove = place.taps.add(place.stage, {
      limit,
      hide: name => masked.has(name) || SECRET.test(name),
      row: json => {
        raw.write(`${pages.scrub(json)}\n`)
        return raw.writableLength < MOST_WAITING_BYTES
      },
      end: () => raw.end(),
    })
    raw.once('close', () => {
      open--
      remove()
    })
    return reply
  })
}

const refuse = (reply: FastifyReply, status: number, code: string, message: string): FastifyReply =>
  reply.code(status).send({ error: { code, message } })

/** Rows hold more than figures do, so a token from elsewhere is not enough. */
const isLocal = ({ ip }: FastifyRequest): boolean => /^(::ffff:)?127\.|^::1$/.test(ip)

/** Throws C019 for a place that is none, C010 for one that is not here. */
function findPlace(at: string, { pipelines, taps, runs }: TapPages): Place {
  const [, wanted, flow, stage] = /^(?:([^/]+)\/)?([^/.]+)\.([^/.]+)$/.exec(at) ?? []
  if (flow === undefined) throw new ConnectError('C019_USAGE', `"${at}": expected FLOW.STAGE, such as ingest.sink`)
  const all = pipelines.flatMap(pipeline => pipeline.flows.map(spec => ({ pipeline, spec })))
  const found = all.filter(f => f.spec.name === flow && (wanted === undefined || f.pipeline.name === wanted))
  const full = (f: (typeof all)[number]): string => `${f.pipeline.name}/${f.spec.name}`
  if (found.length === 0)
    throw new ConnectError('C010_UNKNOWN_REFERENCE', `there is no flow "${flow}"; there are ${all.map(full).join(', ')}`)
  if (found.length > 1) throw new ConnectError('C019_USAGE', `several flows are called "${flow}": ${found.map(full).join(', ')}`)
  const [{ pipeline, spec }] = found
  const index = stageOf(spec, stage)
  if (index === null)
    throw new ConnectError(
      'C010_UNKNOWN_REFERENCE',
      `"${stage}" is not one stage of ${flow}; its stages are ${stageNames(spec).join(', ')} (by number or name)`,
    )
  if (!runs(pipeline.name, spec.name)) throw new ConnectError('C010_UNKNOWN_REFERENCE', `the flow "${flow}" has ended`)
  return { taps: taps.of(pipeline.name, spec.name), stage: index }
}
