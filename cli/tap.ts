import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ConnectError, ERRORS, type ErrorCode } from '../runtime/errors'
import { didYouMean } from '../runtime/registry'
import type { FlowSpec, PipelineSpec } from '../runtime/spec'
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
      return refuse(reply, error.code === 'C019_USAGE' ? 400 : 404, error.code, error.message, error.hint)
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

const refuse = (reply: FastifyReply, status: number, code: ErrorCode, message: string, hint?: string): FastifyReply =>
  reply.code(status).send({ error: { code, message, hint: hint ?? ERRORS[code].hint } })

/** Rows hold more than figures do, so a token from elsewhere is not enough. */
const isLocal = ({ ip }: FastifyRequest): boolean => /^(::ffff:)?127\.|^::1$/.test(ip)

interface RunFlow {
  readonly pipeline: string
  readonly spec: FlowSpec
}

/** Throws C019 for a place that is none, C010 for one that is not here; hints are places as they can be given. */
function findPlace(at: string, { pipelines, taps, runs }: TapPages): Place {
  const [, wanted, name, stage] = /^(?:([^/]+)\/)?([^/.]+)(?:\.([^/.]+))?$/.exec(at) ?? []
  if (name === undefined)
    throw new ConnectError(
      'C019_USAGE',
      `"${at}": expected FLOW.STAGE, such as ingest.sink; with several files PIPELINE/FLOW.STAGE`,
    )
  const all = pipelines.flatMap(({ name: pipeline, flows }) => flows.map((spec): RunFlow => ({ pipeline, spec })))
  const called = all.filter(f => f.spec.name === name && (wanted === undefined || f.pipeline === wanted))
  if (called.length === 0) throw unknownFlow(wanted === undefined ? name : `${wanted}/${name}`, all)
  const running = called.filter(f => runs(f.pipeline, f.spec.name))
  if (running.length === 0) throw new ConnectError('C010_UNKNOWN_REFERENCE', `the flow "${name}" has ended`)
  if (stage === undefined) {
    throw new ConnectError('C019_USAGE', `"${at}": expected FLOW.STAGE`, { hint: `the stages are ${places(running).join(', ')}` })
  }
  if (running.length > 1) {
    const hint = `give its pipeline: ${running.map(f => `${flowName(f)}.${stage}`).join(', ')}`
    throw new ConnectError('C019_USAGE', `several flows are called "${name}"`, { hint })
  }
  const [{ pipeline, spec }] = running
  const index = stageOf(spec, stage)
  if (index === null) {
    const several = spec.transforms.some(t => t.type === stage)
    const message = several ? `${name} has several stages "${stage}"` : `${name} has no stage "${stage}"`
    throw new ConnectError('C010_UNKNOWN_REFERENCE', message, { hint: `the stages are ${places(running).join(', ')}` })
  }
  return { taps: taps.of(pipeline, spec.name), stage: index }
}

const flowName = ({ pipeline, spec }: RunFlow): string => `${pipeline}/${spec.name}`

/** Every stage of these flows as `tap` takes it; where that is a number, what stands there. */
const places = (flows: readonly RunFlow[]): readonly string[] =>
  flows.flatMap(flow => {
    const { transforms } = flow.spec
    const names = stageNames(transforms.map(t => t.type))
    return names.map((name, i) => `${flowName(flow)}.${name}${/^\d+$/.test(name) ? ` (${transforms[i - 1].type})` : ''}`)
  })

function unknownFlow(name: string, all: readonly RunFlow[]): ConnectError {
  const near = didYouMean(name.slice(name.indexOf('/') + 1), [...new Set(all.map(f => f.spec.name))])
  const meant = all.filter(f => f.spec.name === near).map(flowName)
  const hint = meant.length > 0 ? `did you mean ${meant.join(' or ')}?` : `the flows are ${all.map(flowName).join(', ')}`
  return new ConnectError('C010_UNKNOWN_REFERENCE', `there is no flow "${name}"`, { hint })
}
