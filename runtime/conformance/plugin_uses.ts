import type { Declaration } from '../plugin'

/** A plugin as a pipeline file uses it. */
export interface PluginUse {
  readonly kind: Declaration['kind']
  readonly name: string
  /** Its options as they are written. */
  readonly config: Readonly<Record<string, unknown>>
}

type Mapping = Readonly<Record<string, unknown>>

const isMapping = (value: unknown): value is Mapping => typeof value === 'object' && value !== null && !Array.isArray(value)
const mapping = (value: unknown): Mapping => (isMapping(value) ? value : {})
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** Every use of a plugin in a pipeline file, given its YAML as parsed. What is not as the language has it is left out. */
export function pluginUses(file: unknown): readonly PluginUse[] {
  const { connections, flows } = mapping(file)
  return [
    ...Object.entries(mapping(connections)).flatMap(([key, value]) => {
      const { type = key, ...config } = mapping(value)
      return typeof type === 'string' ? [{ kind: 'connection' as const, name: type, config }] : []
    }),
    ...Object.values(mapping(flows)).flatMap(flow => {
      const { source, transforms, sink } = mapping(flow)
      return [...usesOf('source', source), ...list(transforms).flatMap(t => usesOf('transform', t)), ...usesOf('sink', sink)]
    }),
  ]
}

function usesOf(kind: 'source' | 'transform' | 'sink', block: unknown): readonly PluginUse[] {
  const { type, connection: _, ...config } = mapping(block)
  if (typeof type !== 'string') return []
  // a sink's key is a list of columns, and so is no format
  const formats = kind === 'transform' ? [] : [config.value, config.key, config.key_format].flatMap(formatUse)
  const detectors = Object.values(mapping(config.detectors)).flatMap(value => {
    const { type: name, ...options } = mapping(value)
    return typeof name === 'string' ? [{ kind: 'detector' as const, name, config: options }] : []
  })
  return [{ kind, name: type, config }, ...formats, ...detectors]
}

/** `avro`, or `{format: avro, ...its options}`. */
function formatUse(value: unknown): readonly PluginUse[] {
  if (typeof value === 'string') return [{ kind: 'format', name: value, config: {} }]
  const { format, ...config } = mapping(value)
  return typeof format === 'string' ? [{ kind: 'format', name: format, config }] : []
}
