import type { Argument, Command, Option } from 'commander'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** The hidden command that scripts ask for what only a file or a running worker knows; see `asked.ts`. */
export const ASK = '__complete'

/** What may stand in a place. */
export type Values =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  /** `pipelines`: `*.yaml`, `*.yml`, and folders on the way to them. */
  | { readonly kind: 'pipelines' | 'files' | 'folders' | 'anything' }
  /** What `connect __complete -- WORDS` prints, given the words up to the cursor. */
  | { readonly kind: 'asked'; readonly what: string }

export interface CompletedOption {
  readonly long: string
  readonly text: string
  /** Null: it takes no value. */
  readonly values: Values | null
}

export interface CompletedPlace {
  readonly name: string
  readonly values: Values
}

export interface CompletedCommand {
  readonly name: string
  readonly text: string
  readonly options: readonly CompletedOption[]
  /** The first, the second, ... */
  readonly places: readonly CompletedPlace[]
  /** The last place may stand any number of times. */
  readonly many: boolean
}

/** Names of plugins that stand on a command line. */
export interface Plugins {
  readonly all: readonly string[]
  readonly formats: readonly string[]
}

/** The commands that people see. */
export const visibleCommands = (program: Command): readonly Command[] => program.createHelp().visibleCommands(program)

/** What can be completed, read off the program itself. */
export function completions(program: Command, plugins: Plugins): readonly CompletedCommand[] {
  const commands = visibleCommands(program)
  const known: Readonly<Record<string, readonly string[]>> = {
    'help command': commands.map(c => c.name()),
    'plugins name': plugins.all,
    'tail --value': plugins.formats,
  }
  const wordsOr = (place: string, otherwise: Values): Values =>
    known[place] ? { kind: 'words', words: known[place] } : otherwise
  return commands.map(command => ({
    name: command.name(),
    text: firstSentence(command.description()),
    options: [
      ...command.options.map(option => {
        const long = option.long ?? option.flags
        const takes = option.required || option.optional
        const values = takes ? wordsOr(`${command.name()} ${long}`, valuesOfOption(option)) : null
        return { long, text: firstSentence(option.description), values }
      }),
      { long: '--help', text: 'show help', values: null },
    ],
    places: command.registeredArguments.map(argument => ({
      name: argument.name(),
      values: wordsOr(`${command.name()} ${argument.name()}`, valuesOfArgument(argument)),
    })),
    many: command.registeredArguments.at(-1)?.variadic ?? false,
  }))
}

/** A dot, a semicolon or a colon ends what fits beside a word in a list. */
const firstSentence = (text: string): string => text.replace(/[.;:]( .*)?$/s, '')

function valuesOfOption({ flags, argChoices }: Option): Values {
  if (argChoices) return { kind: 'words', words: argChoices }
  if (flags === '--connection <name>') return { kind: 'asked', what: 'connection' }
  if (/<(file|pattern)>/.test(flags)) return { kind: 'files' }
  return { kind: flags.includes('<dir>') ? 'folders' : 'anything' }
}

function valuesOfArgument(argument: Argument): Values {
  const name = argument.name()
  if (argument.argChoices) return { kind: 'words', words: argument.argChoices }
  if (['flow', 'flow.stage', 'topic'].includes(name)) return { kind: 'asked', what: name }
  return { kind: name === 'file' ? 'pipelines' : 'anything' }
}
