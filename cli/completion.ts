import type { Command } from 'commander'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** What may stand in a place: fixed words, paths, what another command lists at the moment, or anything. */
type Values =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'files' | 'folders' | 'anything' }
  /** `connect completion WHAT`, with the file that stands before it. */
  | { readonly kind: 'asked'; readonly what: 'flows' | 'stages' }

interface CompletedOption {
  readonly long: string
  readonly text: string
  /** Null: it takes no value. */
  readonly values: Values | null
}

interface CompletedCommand {
  readonly name: string
  readonly text: string
  readonly options: readonly CompletedOption[]
  /** The first, the second, ...; the last goes on where the command takes several. */
  readonly places: readonly Values[]
}

/** What can be completed, read off the program itself. */
function completions(program: Command, plugins: readonly string[]): readonly CompletedCommand[] {
  return program.commands.map(command => ({
    name: command.name(),
    text: firstSentence(command.description()),
    options: command.options.map(option => ({
      long: option.long ?? option.flags,
      text: option.description,
      values: option.required || option.optional ? valuesOf(option.flags, option.argChoices) : null,
    })),
    places: command.registeredArguments.map(argument => {
      if (command.name() === 'plugins') return { kind: 'words' as const, words: plugins }
      return valuesOf(argument.name(), argument.argChoices)
    }),
  }))
}

const firstSentence = (text: string): string => text.replace(/\.( .*)?$/s, '')

function valuesOf(name: string, choices: readonly string[] | undefined): Values {
  if (choices) return { kind: 'words', words: choices }
  if (/\bflow\.stage\b/.test(name)) return { kind: 'asked', what: 'stages' }
  if (/\bflow\b/.test(name)) return { kind: 'asked', what: 'flows' }
  if (/\bfile\b/.test(name)) return { kind: 'files' }
  if (/\bdir\b/.test(name)) return { kind: 'folders' }
  return { kind: 'anything' }
}

/** The script that a shell reads, e.g. `source <(connect completion bash)`. */
export function completionScript(shell: Shell, program: Command, plugins: readonly string[]): string {
  const commands = completions(program, plugins)
  switch (shell) {
    case 'bash':
      return `# bash completion of connect: source <(connect completion bash)\n${bash(commands)}`
    case 'zsh':
      // zsh runs functions made for bash
      return `# zsh completion of connect: source <(connect completion zsh)\nautoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n${bash(commands)}`
    case 'fish':
      return `# fish completion of connect: connect completion fish | source\n${fish(commands)}`
  }
}

// ------------------------------------------------------------------------------------------------------------------ bash

const single = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

function bash(commands: readonly CompletedCommand[]): string {
  const cases = commands.flatMap(c => [`    ${c.name})`, ...bashCommand(c).map(line => `      ${line}`), '      ;;'])
  return `_connect() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" cmd="" file="" word i place=0
  COMPREPLY=()
  # the command, and how many words that are neither options nor their values stand before the cursor
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [[ -z "$cmd" ]]; then
      [[ "$word" == -* ]] || cmd="$word"
    elif [[ "$word" == -* ]]; then
      [[ " $(_connect_valued "$cmd") " == *" $word "* ]] && ((i++))
    else
      [[ -z "$file" ]] && file="$word"
      ((place++))
    fi
  done
  case "$cmd" in
    "")
      COMPREPLY=($(compgen -W ${single(['help', '--help', '--version', ...commands.map(c => c.name)].join(' '))} -- "$cur"))
      ;;
    help)
      COMPREPLY=($(compgen -W ${single(commands.map(c => c.name).join(' '))} -- "$cur"))
      ;;
${cases.join('\n')}
  esac
}
# options of a command that take a value
_connect_valued() {
  case "$1" in
${commands.map(c => `    ${c.name}) echo ${single(valued(c).join(' '))} ;;`).join('\n')}
  esac
}
complete -o filenames -o bashdefault -F _connect connect
`
}

const valued = ({ options }: CompletedCommand): readonly string[] => options.flatMap(o => (o.values ? [o.long] : []))

function bashCommand({ options, places }: CompletedCommand): readonly string[] {
  const takers = options.flatMap(o => (o.values ? [`  ${o.long}) ${bashReply(o.values)}; return ;;`] : []))
  const flags = single([...options.map(o => o.long), '--help'].join(' '))
  const last = places.length - 1
  return [
    ...(takers.length > 0 ? ['case "$prev" in', ...takers, 'esac'] : []),
    `if [[ "$cur" == -* ]]; then COMPREPLY=($(compgen -W ${flags} -- "$cur")); return; fi`,
    ...(places.length > 0
      ? ['case "$place" in', ...places.map((p, i) => `  ${i === last ? '*' : i}) ${bashReply(p)} ;;`), 'esac']
      : []),
  ]
}

function bashReply(values: Values): string {
  switch (values.kind) {
    case 'words':
      return `COMPREPLY=($(compgen -W ${single(values.words.join(' '))} -- "$cur"))`
    case 'files':
      return 'COMPREPLY=($(compgen -f -- "$cur"))'
    case 'folders':
      return 'COMPREPLY=($(compgen -d -- "$cur"))'
    case 'asked':
      return `COMPREPLY=($(compgen -W "$(connect completion ${values.what} "$file" 2>/dev/null)" -- "$cur"))`
    case 'anything':
      return ':'
  }
}

// ------------------------------------------------------------------------------------------------------------------ fish

const fishQuoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

function fish(commands: readonly CompletedCommand[]): string {
  const lines = [
    'function __connect_file',
    '  for word in (commandline -opc)[3..-1]',
    '    string match -q -- "-*" $word; or begin; echo $word; return; end',
    '  end',
    'end',
    'complete -c connect -f',
    'complete -c connect -n __fish_use_subcommand -l help -d "show help"',
    'complete -c connect -n __fish_use_subcommand -l version -d "show the version"',
  ]
  for (const { name, text, options, places } of commands) {
    lines.push(`complete -c connect -n __fish_use_subcommand -a ${name} -d ${fishQuoted(text)}`)
    const here = `complete -c connect -n '__fish_seen_subcommand_from ${name}'`
    for (const o of options) {
      const takes = o.values === null ? '' : ` ${fishValues(o.values, 'r')}`
      lines.push(`${here} -l ${o.long.replace(/^--/, '')}${takes} -d ${fishQuoted(o.text)}`)
    }
    for (const place of places) if (place.kind !== 'anything') lines.push(`${here} ${fishValues(place, '')}`)
  }
  return `${lines.join('\n')}\n`
}

/** `required`: `r` for the value of an option, nothing for an argument. */
function fishValues(values: Values, required: 'r' | ''): string {
  const exclusive = required === 'r' ? '-x ' : ''
  switch (values.kind) {
    case 'words':
      return `${exclusive}-a ${fishQuoted(values.words.join(' '))}`
    case 'files':
      return required === 'r' ? '-r -F' : '-F'
    case 'folders':
      return `${exclusive}-a '(__fish_complete_directories)'`
    case 'asked':
      return `${exclusive}-a '(connect completion ${values.what} (__connect_file) 2>/dev/null)'`
    case 'anything':
      return '-x'
  }
}
