import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'

/** `<kind> <name>` of a plugin -> names of the files in `config/examples/` that use it. */
export function exampleFiles(): ReadonlyMap<string, readonly string[]> {
  const folder = path.join(path.dirname(require.resolve('olap-connect/package.json')), 'config/examples')
  const found = new Map<string, string[]>()
  for (const file of readdirSync(folder)
    .filter(f => f.endsWith('.yaml'))
    .sort()) {
    for (const plugin of pluginsOf(parse(readFileSync(path.join(folder, file), 'utf8')) as ExampleFile))
      found.set(plugin, [...(found.get(plugin) ?? []), file])
  }
  return found
}

interface Stage {
  readonly type: string
  readonly value?: string | { readonly format: string }
  readonly detectors?: Readonly<Record<string, { readonly type: string }>>
}

interface ExampleFile {
  readonly connections?: Readonly<Record<string, { readonly type?: string }>>
  readonly flows: Readonly<
    Record<string, { readonly source: Stage; readonly transforms?: readonly Stage[]; readonly sink: Stage }>
  >
}

function pluginsOf({ connections, flows }: ExampleFile): ReadonlySet<string> {
  const used = new Set(Object.entries(connections ?? {}).map(([name, c]) => `connection ${c.type ?? name}`))
  for (const { source, transforms, sink } of Object.values(flows)) {
    used.add(`source ${source.type}`).add(`sink ${sink.type}`)
    for (const { value } of [source, sink]) if (value) used.add(`format ${typeof value === 'string' ? value : value.format}`)
    for (const { type, detectors } of transforms ?? []) {
      used.add(`transform ${type}`)
      for (const detector of Object.values(detectors ?? {})) used.add(`detector ${detector.type}`)
    }
  }
  return used
}
