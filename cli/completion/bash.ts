import { ASK, type CompletedCommand, type Values } from './model'

/** Reads itself into bash 4 and later; in bash 3.2 of macOS folders get no slash. */
export function bash(commands: readonly CompletedCommand[]): string {
  const cases = commands.flatMap(c => [`    ${c.name})`, ...ofCommand(c).map(line => `      ${line}`), '      ;;'])
  return `# bash completion of connect: source <(connect completion bash)
_connect() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" cmd="" word i place=0
  COMPREPLY=()
  # the command, and how many words that are neither options nor their values stand before the cursor
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [[ -z "$cmd" ]]; then
      [[ "$word" == -* ]] || cmd="$word"
    elif [[ "$word" == -* ]]; then
      [[ " $(_connect_valued "$cmd") " == *" $word "* ]] && ((i++))
    else
      ((place++))
    fi
  done
  case "$cmd" in
    "")
      _connect_words ${quoted(['--help', '--version', ...commands.map(c => c.name)].join(' '))}
      ;;
${cases.join('\n')}
  esac
}
_connect_words() {
  COMPREPLY=($(compgen -W "$1" -- "$cur"))
}
_connect_paths() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  case "$1" in
    pipelines) COMPREPLY=($(compgen -f -X '!*.yaml' -- "$cur"; compgen -f -X '!*.yml' -- "$cur"; compgen -d -- "$cur")) ;;
    files) COMPREPLY=($(compgen -f -- "$cur")) ;;
    folders) COMPREPLY=($(compgen -d -- "$cur")) ;;
  esac
}
# what a file or a running worker knows
_connect_asked() {
  _connect_words "$(connect ${ASK} -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)"
}
# options of a command that take a value
_connect_valued() {
  case "$1" in
${commands.map(c => `    ${c.name}) echo ${quoted(valued(c).join(' '))} ;;`).join('\n')}
  esac
}
complete -F _connect connect
`
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

const valued = ({ options }: CompletedCommand): readonly string[] => options.flatMap(o => (o.values ? [o.long] : []))

function ofCommand({ options, places, many }: CompletedCommand): readonly string[] {
  const takers = options.flatMap(o => (o.values ? [`  ${o.long}) ${reply(o.values)}; return ;;`] : []))
  const flags = quoted(options.map(o => o.long).join(' '))
  const pattern = (i: number): string => (many && i === places.length - 1 ? '*' : String(i))
  return [
    ...(takers.length > 0 ? ['case "$prev" in', ...takers, 'esac'] : []),
    `if [[ "$cur" == -* ]]; then _connect_words ${flags}; return; fi`,
    'case "$place" in',
    ...places.map(({ values }, i) => `  ${pattern(i)}) ${reply(values)} ;;`),
    // where nothing else can stand, or nothing is known of what can, the options
    `  *) _connect_words ${flags} ;;`,
    'esac',
    `if [[ \${#COMPREPLY[@]} -eq 0 && -z "$cur" ]]; then _connect_words ${flags}; fi`,
  ]
}

function reply(values: Values): string {
  switch (values.kind) {
    case 'words':
      return `_connect_words ${quoted(values.words.join(' '))}`
    case 'asked':
      return '_connect_asked'
    case 'anything':
      return ':'
    default:
      return `_connect_paths ${values.kind}`
  }
}
