import { z } from 'zod'
import { ConnectError } from '../../runtime/errors'
import type { Declaration } from '../../runtime/plugin'
import { didYouMean } from '../../runtime/registry'
import { printEnvelope } from '../envelope'
import { EXIT } from '../exit_codes'
import { generated } from '../generate'
import type { Io } from '../io'
import { builtInRegistry } from '../registry'
import { tableText } from '../table'

/** `connect plugins [NAME]`: what there is, or the reference page of one name. Returns the exit code. */
export async function plugins(name: string | undefined, options: { readonly json?: boolean }, io: Io): Promise<number> {
  const registry = builtInRegistry()
  const { all } = registry
  const chosen = name === undefined ? all : all.filter(d => d.name === name)
  if (name !== undefined && chosen.length === 0) {
    const near = didYouMean(
      name,
      all.map(d => d.name),
    )
    throw new ConnectError('C009_UNKNOWN_PLUGIN', `there is no plugin "${name}"${near ? `; did you mean "${near}"?` : ''}`)
  }
  if (options.json) {
    const summary = `${chosen.length} plugin(s)`
    await printEnvelope(io, {
      command: 'plugins',
      ok: true,
      summary,
      result: { plugins: chosen.map(d => describe(d, name !== undefined)) },
      error: null,
    })
  } else if (name === undefined)
    await io.out(
      tableText(
        ['kind', 'name', 'status', 'summary'],
        all.map(d => [d.kind, d.name, d.status, d.summary]),
      ),
    )
  else {
    const pages = generated(registry)
    for (const d of chosen) await io.out(`${pages.get(`reference/${d.kind}_${d.name}.md`) ?? d.description}\n`)
  }
  return EXIT.ok
}

const describe = (d: Declaration, whole: boolean) => ({
  kind: d.kind,
  name: d.name,
  status: d.status,
  since: d.since,
  summary: d.summary,
  ...('capabilities' in d ? { capabilities: d.capabilities } : {}),
  ...(whole ? { description: d.description, config: z.toJSONSchema(d.config, { io: 'input', unrepresentable: 'any' }) } : {}),
})
