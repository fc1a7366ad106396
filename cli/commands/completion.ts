import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Command } from 'commander'
import { parse } from 'yaml'
import { stageNames } from '../../runtime/tap'
import { completionScript, SHELLS, type Shell } from '../completion'
import { EXIT } from '../exit_codes'
import type { Io } from '../io'
import type * as RegistryModule from '../registry'
import { fetchStatus, workerAddresses } from '../worker_client'

/** What `connect completion` prints: a script for a shell, or, for such a script, what there is at the moment. */
export const COMPLETIONS = [...SHELLS, 'flows', 'stages'] as const

/** `connect completion bash|zsh|fish`; `flows FILE` and `stages` are what the scripts ask for. Returns the exit code. */
export async function completion(
  what: (typeof COMPLETIONS)[number],
  file: string | undefined,
  program: Command,
  io: Io,
): Promise<number> {
  if (what === 'flows') await io.out(file === undefined ? '' : lines(flowsOf(path.resolve(io.cwd, file))))
  else if (what === 'stages') await io.out(lines(await stagesThatRun(io)))
  else await io.out(completionScript(what satisfies Shell, program, pluginNames()))
  return EXIT.ok
}

const lines = (words: readonly string[]): string => words.map(w => `${w}\n`).join('')

/** Asked while somebody types: a file that is not whole yet has no flows, which is no error. */
function flowsOf(file: string): readonly string[] {
  if (!existsSync(file)) return []
  try {
    const { flows } = parse(readFileSync(file, 'utf8'), { logLevel: 'error' }) as { flows?: object }
    return Object.keys(flows ?? {})
  } catch {
    return []
  }
}

/** Places of the flows that run with the usual data folder; none where nothing runs. */
async function stagesThatRun(io: Io): Promise<readonly string[]> {
  try {
    const workers = workerAddresses({ data: '.connect' }, io)
    const all = await Promise.all(workers.map(worker => fetchStatus(worker)))
    return all.flatMap(({ flows }) =>
      flows.flatMap(f => {
        const transforms = f.transforms.map(type => ({ type, connection: null, config: null, at: '' }))
        return stageNames({ transforms }).map(stage => `${f.flow}.${stage.split(' ')[0]}`)
      }),
    )
  } catch {
    return []
  }
}

function pluginNames(): readonly string[] {
  const { builtInRegistry }: typeof RegistryModule = require('../registry')
  return [...new Set(builtInRegistry().all.map(d => d.name))].sort()
}
