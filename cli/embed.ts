import { ConnectError } from '../runtime/errors'
import type { EmbeddedService } from '../runtime/plugin'
import type { Registry } from '../runtime/registry'
import type { PipelineSpec } from '../runtime/spec'

/** Where a file asks for an embedded service: connections.<connection>.<field>. */
interface Place {
  readonly connection: string
  readonly field: string
  readonly service: EmbeddedService
}

function places(pipeline: PipelineSpec, registry: Registry): readonly Place[] {
  return Object.values(pipeline.connections).flatMap(({ name, type, config }) => {
    const embedded = registry.get('connection', type).embedded
    return Object.entries(embedded).flatMap(([field, service]) =>
      isEmbedded((config as Record<string, unknown>)[field]) ? [{ connection: name, field, service }] : [],
    )
  })
}

/** `brokers:` is a list after loading, other addresses are strings or objects with a `url`. */
function isEmbedded(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 1 && value[0] === 'embedded'
  if (typeof value === 'object' && value !== null && 'url' in value) return value.url === 'embedded'
  return value === 'embedded'
}

/** The embedded services these pipelines ask for. */
export function embeddedServices(pipelines: readonly PipelineSpec[], registry: Registry): ReadonlySet<EmbeddedService> {
  return new Set(pipelines.flatMap(p => places(p, registry).map(x => x.service)))
}

/** Refuses pipelines that ask for embedded services where none may be started: a forgotten variable in production must be seen. */
export function refuseEmbedded(pipelines: readonly PipelineSpec[], registry: Registry): void {
  for (const pipeline of pipelines) {
    const [first] = places(pipeline, registry)
    if (first) {
      throw new ConnectError(
        'E002_CONNECTION_MISSING',
        `${pipeline.file}: connections.${first.connection}.${first.field} is "embedded", and embedded services start only on a terminal or with --embedded`,
      )
    }
  }
}

/** The pipelines with the addresses of the running services in place of `embedded`. */
export function withAddresses(
  pipelines: readonly PipelineSpec[],
  registry: Registry,
  addresses: Readonly<Partial<Record<EmbeddedService, string>>>,
): readonly PipelineSpec[] {
  return pipelines.map(pipeline => {
    const connections = { ...pipeline.connections }
    for (const { connection, field, service } of places(pipeline, registry)) {
      const address = addresses[service]
      if (address === undefined) throw new ConnectError('E005_EMBEDDED_FAILED', `the embedded ${service} has no address`)
      const spec = connections[connection]
      const config = spec.config as Record<string, unknown>
      const old = config[field]
      const value = Array.isArray(old) ? [address] : typeof old === 'object' ? { ...old, url: address } : address
      connections[connection] = { ...spec, config: { ...config, [field]: value } }
    }
    return { ...pipeline, connections }
  })
}
