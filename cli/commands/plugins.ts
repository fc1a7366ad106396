import { z } from 'zod'
import { jsonSchema } from '../../config/pipeline_schema'
import { plainPage } from '../../config/reference_text'
import { ConnectError } from '../../runtime/errors'
import type { Declaration } from '../../runtime/plugin'
import { didYouMean } from '../../runtime/registry'
import { printEnvelope } from '../envelope'
import { EXIT } from '../exit_codes'
import { referencePages } from '../generate'
import type { Io } from '../io'
import { builtInRegistry } from '../registry'
import { tableText } from '../table'

/** Longer lines are hard to read, however wide the terminal is. */
const WIDTH = 100

/** `connect plugins [NAME]`: what there is, or the reference page of one name. Returns the exit code. */
export async function plugins(name: string | undefined, options: { readonly json?: boolean }, io: Io): Promise<number> {
  const registry = builtInRegistry()
  const { all } = registry
  const width = io.outIsTerminal ? Math.min(io.errSize().columns, WIDTH) : WIDTH
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
        width,
      ),
    )
  else {
    const pages = referencePages(chosen, jsonSchema(registry))
    await io.out([...pages.values()].map(page => plainPage(page, width)).join('\n\n'))
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
  ...(whole
    ? {
        description: d.description,
        config: z.toJSONSchema(d.config, { io: 'input', unrepresentable: 'any' }),
        examples: d.examples,
      }
    : {}),
})
