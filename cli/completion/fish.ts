import { ASK, type CompletedCommand, type Values } from './model'

/** For `connect completion fish | source`, or as a file `connect.fish` in a folder of completions. */
export function fish(commands: readonly CompletedCommand[]): string {
  const lines = [
    '# fish completion of connect: connect completion fish | source',
    '# the command that was named, then how many words that are neither options nor their values follow it before the cursor',
    'function __connect_at',
    '  set -l cmd',
    '  set -l place 0',
    '  set -l skip 0',
    '  for word in (commandline -opc)[2..-1]',
    '    if test $skip = 1',
    '      set skip 0',
    '    else if string match -q -- "-*" $word',
    '      test -n "$cmd"; and contains -- $word (__connect_valued $cmd); and set skip 1',
    '    else if test -z "$cmd"',
    '      set cmd $word',
    '    else',
    '      set place (math $place + 1)',
    '    end',
    '  end',
    '  test "$cmd" = "$argv[1]"; or return 1',
    '  test (count $argv) = 1; and return 0',
    '  test $place = "$argv[2]"; or test "$argv[3]" = many -a $place -ge "$argv[2]"',
    'end',
    '# options of a command that take a value',
    'function __connect_valued',
    '  switch $argv[1]',
    ...commands.flatMap(c => {
      const valued = c.options.flatMap(o => (o.values ? [o.long] : []))
      return valued.length > 0 ? [`    case ${c.name}`, `      printf '%s\\n' ${valued.join(' ')}`] : []
    }),
    '  end',
    'end',
    '# paths that end like this, and folders on the way to them',
    'function __connect_paths',
    `  complete -C "'' "(commandline -ct) | string match -r -- '^[^\\t]*(?:/|'$argv[1]')(?:\\t.*)?$'`,
    'end',
    '# what a file or a running worker knows',
    'function __connect_asked',
    `  connect ${ASK} -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null`,
    'end',
    'complete -c connect -f',
    "complete -c connect -n '__connect_at \"\"' -l help -d 'show help'",
    "complete -c connect -n '__connect_at \"\"' -l version -d 'show the version'",
  ]
  for (const { name, text, options, places, many } of commands) {
    lines.push(`complete -c connect -n '__connect_at ""' -a ${name} -d ${quoted(text)}`)
    for (const o of options) {
      const takes = o.values === null ? '' : ` ${ofOption(o.values)}`
      lines.push(`complete -c connect -n '__connect_at ${name}' -l ${o.long.replace(/^--/, '')}${takes} -d ${quoted(o.text)}`)
    }
    for (const [i, { name: place, values }] of places.entries()) {
      const given = candidates(values)
      if (given === null) continue
      const at = `__connect_at ${name} ${i}${many && i === places.length - 1 ? ' many' : ''}`
      lines.push(`complete -c connect -n '${at}' ${given}${values.kind === 'asked' ? ` -d ${quoted(place)}` : ''}`)
    }
  }
  return `${lines.join('\n')}\n`
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** `-x`: it takes a value, and no other than these. */
const ofOption = (values: Values): string => (values.kind === 'files' ? '-r -F' : `-x ${candidates(values) ?? ''}`.trim())

/** Null: nothing can be offered. */
function candidates(values: Values): string | null {
  switch (values.kind) {
    case 'words':
      return `-a ${quoted(values.words.join(' '))}`
    case 'pipelines':
      return `-k -a '(__connect_paths "\\\\.ya?ml")'`
    case 'files':
      return '-F'
    case 'folders':
      return `-a '(__connect_paths /)'`
    case 'asked':
      return `-a '(__connect_asked)'`
    case 'anything':
      return null
  }
}
