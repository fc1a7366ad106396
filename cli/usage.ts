import type { Command } from 'commander'
import { ConnectError } from '../runtime/errors'

/** What is wrong with a command line, and which command it was meant for (`connect` where there is none of that name). */
export interface UsageError {
  readonly command: string
  readonly error: ConnectError
}

/**
 * Turns what commander throws into an error of ours: its message is `error: unknown option '--fo'` and, on a second line, what was
 * probably meant. Anything else is passed on as it is.
 */
export function usageError(args: readonly string[], program: Command, thrown: unknown): UsageError {
  const word = args.find(a => !a.startsWith('-'))
  const command = program.commands.find(c => c.name() === word)?.name() ?? program.name()
  if (!(thrown instanceof Error)) return { command, error: new ConnectError('R001_INTERNAL', String(thrown)) }
  const [first, ...suggestion] = thrown.message.replace(/^error: /, '').split('\n')
  const told = first.replace(/^command-argument value '(.*)' is invalid for argument '(.*?)'\./, "there is no $2 '$1' here.")
  const message = [told.replace(/\.$/, ''), ...suggestion.map(s => s.replace(/^\(Did/, '(did'))].join(' ').trim()
  const help = command === program.name() || command === 'help' ? 'connect help' : `connect ${command} --help`
  return { command, error: new ConnectError('C019_USAGE', message, { hint: `\`${help}\` shows what there is`, cause: thrown }) }
}
