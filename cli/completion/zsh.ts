import { ASK, type CompletedCommand, type CompletedOption, type Values } from './model'

/** For `source <(connect completion zsh)` and, as a file `_connect`, for a folder of `$fpath`. */
export function zsh(commands: readonly CompletedCommand[]): string {
  return `#compdef connect
# zsh completion of connect: source <(connect completion zsh)
_connect() {
  local curcontext="$curcontext" context state state_descr line
  typeset -A opt_args
  _arguments -C '(- *)--help[show help]' '(- *)--version[show the version]' '1:command:->command' '*::argument:->argument' && return
  case $state in
    command)
      local -a commands=(
${commands.map(c => `        ${quoted(`${c.name}:${c.text}`)}`).join('\n')}
      )
      _describe -t commands command commands
      ;;
    argument)
      case $words[1] in
${commands.map(c => `        ${c.name}) _arguments ${ofCommand(c).join(' ')} ;;`).join('\n')}
      esac
      ;;
  esac
}
# what a file or a running worker knows
_connect_asked() {
  local -a found=(\${(f)"$(_call_program connect connect ${ASK} -- \${(q)words[1,CURRENT]} 2>/dev/null)"})
  _wanted values expl "$1" compadd -a found
}
# an alias is completed as what it stands for; a function of the same name has completions of its own
if (( $+aliases[connect] )); then
  functions[connect]="$aliases[connect] \\"\\$@\\""
  unalias connect
fi
if (( ! $+functions[compdef] )); then
  autoload -Uz compinit && compinit
fi
if [[ $funcstack[1] == _connect ]]; then
  _connect "$@"
else
  compdef _connect connect
fi
`
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** In a description of `_arguments`, `:` and brackets have a meaning. */
const plain = (text: string): string => text.replaceAll(/[[\]:]/g, ' ')

const ofCommand = ({ options, places, many }: CompletedCommand): readonly string[] => [
  ...options.map(option),
  ...places.map(({ name, values }, i) => {
    const at = many && i === places.length - 1 ? '*' : String(i + 1)
    return quoted(`${at}:${plain(name)}:${action(values)}`)
  }),
]

function option({ long, text, values }: CompletedOption): string {
  const value = values === null ? '' : `:${plain(long.replace(/^--/, ''))}:${action(values)}`
  return quoted(`${long}[${plain(text)}]${value}`)
}

function action(values: Values): string {
  switch (values.kind) {
    case 'words':
      return `(${values.words.join(' ')})`
    case 'pipelines':
      return '_files -g "*.(yaml|yml)(-.)"'
    case 'files':
      return '_files'
    case 'folders':
      return '_files -/'
    case 'asked':
      return `_connect_asked ${values.what}`
    case 'anything':
      return ' '
  }
}
