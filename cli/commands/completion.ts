import type { Command } from 'commander'
import { askedWords } from '../completion/asked'
import { bash } from '../completion/bash'
import { fish } from '../completion/fish'
import { completions, type Shell } from '../completion/model'
import { zsh } from '../completion/zsh'
import { EXIT } from '../exit_codes'
import type { Io } from '../io'
import type * as RegistryModule from '../registry'

const SCRIPTS = { bash, zsh, fish }

/** `connect completion SHELL`: prints the script that makes a shell complete the words of this program. Returns the exit code. */
export async function completion(shell: Shell, program: Command, io: Io): Promise<number> {
  const { builtInRegistry }: typeof RegistryModule = require('../registry')
  const registry = builtInRegistry()
  const all = [...new Set(registry.all.map(d => d.name))].sort()
  await io.out(SCRIPTS[shell](completions(program, { all, formats: registry.names('format') })))
  return EXIT.ok
}

/** What a script asks for, given the words after `connect` up to the cursor: one candidate a line. Returns the exit code. */
export async function complete(words: readonly string[], program: Command, io: Io): Promise<number> {
  await io.out((await askedWords(words, program, io)).map(word => `${word}\n`).join(''))
  return EXIT.ok
}
