import { createProgram } from '../../cli/program'
import { collectingIo } from './in_process'

/** Words of a command line; quotes hold one together. */
export const words = (line: string): readonly string[] => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(m => m[1] ?? m[2])

/** Parses arguments as `connect` would, without running them; gives the command's name. Throws as the parser does. */
export async function commandOf(args: readonly string[]): Promise<string> {
  let ran = ''
  const program = createProgram(collectingIo().io, async name => {
    ran = name
  })
  await program.parseAsync([...args], { from: 'user' })
  return ran
}
