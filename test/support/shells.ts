import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** What the shells themselves offer for a line, without a person at a keyboard. */

export type ShellName = 'bash' | 'zsh' | 'fish'

export const has = (shell: ShellName): boolean => spawnSync(shell, ['--version']).status === 0

export interface Typing {
  /** What `connect completion SHELL` prints. */
  readonly script: string
  readonly cwd: string
  /** A folder with a `connect` in it. */
  readonly bin: string
  /** What `connect` is an alias of. */
  readonly alias?: string
}

/** The words that a shell offers where the line ends. Throws where it complains. */
export function offered(shell: ShellName, line: string, typing: Typing): readonly string[] {
  const { cwd, bin } = typing
  const env = { PATH: `${bin}:${process.env.PATH}`, HOME: cwd, TERM: 'xterm', LANG: 'C.UTF-8' }
  const args = [...QUIETLY[shell], '-c', COMPLETE[shell](line, typing)]
  const { status, stdout, stderr } = spawnSync(shell, args, { cwd, env, encoding: 'utf8', timeout: 20_000 })
  if (status !== 0 || stderr !== '') throw new Error(`${shell} for "${line}": ${status}\n${stdout}\n${stderr}`)
  return stdout.split('\n').filter(Boolean)
}

/** Without the settings of this machine. */
const QUIETLY: Readonly<Record<ShellName, readonly string[]>> = {
  bash: ['--norc', '--noprofile', '-O', 'expand_aliases'],
  zsh: ['-f'],
  fish: ['--no-config'],
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

const aliased = (alias: string | undefined): string => (alias === undefined ? '' : `alias connect=${quoted(alias)}\n`)

/** What makes a shell print the words it would offer. */
const COMPLETE: Readonly<Record<ShellName, (line: string, typing: Typing) => string>> = {
  bash: (line, { script, alias }) => {
    const words = line.split(' ')
    return `${aliased(alias)}${script}
COMP_WORDS=(${words.map(quoted).join(' ')})
COMP_CWORD=${words.length - 1}
_connect
printf '%s\\n' "\${COMPREPLY[@]}"
`
  },
  fish: (line, { script, alias }) =>
    `${aliased(alias)}${script}\ncomplete -C ${quoted(line)} | string replace -r '\\t.*' ''; true\n`,
  // a second zsh at a terminal of its own presses Tab; instead of showing candidates it prints them
  zsh: (line, { script, alias, cwd }) => {
    const file = path.join(cwd, '.connect.zsh')
    writeFileSync(file, `${aliased(alias)}${script}`)
    return ZSH(file, line)
  },
}

/** Of its own `compadd`, what fills arrays (-O, -A, -D) offers nothing. */
const ZSH = (script: string, line: string): string => `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PS1=; unsetopt zle_bracketed_paste beep; autoload -Uz compinit && compinit -u -D'
zpty -w z 'source ${script}'
zpty -w z 'compadd() {
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
  typeset -a hits
  builtin compadd -A hits "$@"
  (( $#hits )) && print -rl -- "<"\${^hits}">"
  builtin compadd "$@"
}'
zpty -w z 'comppostfuncs=(done-now); done-now() { print -r "<<end>>"; exit }'
zpty -w z 'print "<<ready>>"'
zpty -r -m z out '*<<ready>>*<<ready>>*'
zpty -w -n z ${quoted(line)}$'\\t'
zpty -r -m z out '*<<end>>*'
print -r -- $out | tr -d '\\r' | sed -n 's/^.*<\\([^<>]*\\)>$/\\1/p' | sort -u
zpty -d z
`

/** A `connect` that says what it was asked. */
export function fakeConnect(folder: string): string {
  const bin = path.join(folder, 'bin')
  mkdirSync(bin, { recursive: true })
  const file = path.join(bin, 'connect')
  writeFileSync(file, `#!/bin/sh\nprintf 'asked' && printf '+%s' "$@" && echo\n`)
  chmodSync(file, 0o755)
  return bin
}
