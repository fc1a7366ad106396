import type { Declaration } from '../runtime/plugin'

/** What is called of each kind beside its config. */
const CALLED: Readonly<Record<string, readonly string[]>> = {
  connection: [],
  source: ['create', 'bounded', 'reads'],
  transform: ['create'],
  sink: ['create', 'writes'],
  format: ['create'],
  detector: ['create'],
}

/** Why an export cannot be taken for a plugin's declaration; null if it can. */
export function declarationProblem(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return 'it is no declaration'
  const d = value as Readonly<Record<string, unknown>>
  for (const key of ['kind', 'name', 'summary'] satisfies readonly (keyof Declaration)[])
    if (typeof d[key] !== 'string' || d[key] === '') return `it has no ${key}`
  const called = CALLED[String(d.kind)]
  if (!called) return `there is no kind "${d.kind}"`
  const { config } = d
  if (typeof config !== 'object' || config === null || !('safeParse' in config) || !('_zod' in config))
    return 'its config is no Zod 4 schema'
  if (d.kind !== 'connection' && d.kind !== 'detector' && typeof d.capabilities !== 'object') return 'it has no capabilities'
  const missing = called.filter(name => typeof d[name] !== 'function')
  return missing.length === 0 ? null : `it has no ${missing.join(', ')}`
}
