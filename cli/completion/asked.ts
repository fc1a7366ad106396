import { existsSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import type { Command } from 'commander'
import { parse } from 'yaml'
import { ENDED } from '../../runtime/status'
import { stageNames } from '../../runtime/tap'
import type { Io } from '../io'
import { fetchStatus, workerAddresses } from '../worker_client'

/** What a script asks for while somebody types: of the file that stands before the cursor, or of what runs. */

/** A command line up to the cursor, taken apart as the command would. */
interface Line {
  readonly command: string
  /** Words that are neither options nor their values. */
  readonly places: readonly string[]
  readonly options: Readonly<Record<string, string>>
  /** The option whose value is typed; null: a place. */
  readonly option: string | null
  /** The word at the cursor, as far as it is typed. */
  readonly current: string
}

/** Words that may follow, for the words after `connect`, the last of which is being typed. Never throws: what is not known is not offered. */
export async function askedWords(words: readonly string[], program: Command, io: Io): Promise<readonly string[]> {
  const line = taken(words, program)
  if (!line) return []
  try {
    return (await wordsFor(line, io)).filter(isSafe)
  } catch {
    return []
  }
}

/** bash evaluates the words it is offered, and files may come from anywhere. */
const isSafe = (word: string): boolean => /^[\w@./-]+$/.test(word)

function taken(words: readonly string[], program: Command): Line | null {
  const [name, ...rest] = words
  const command = program.commands.find(c => c.name() === name)
  const current = rest.pop()
  if (!command || current === undefined) return null
  const places: string[] = []
  const options: Record<string, string> = {}
  let option: string | null = null
  for (const word of rest) {
    if (option !== null) {
      options[option] = word
      option = null
    } else if (!word.startsWith('-')) places.push(word)
    else if (command.options.find(o => o.long === word)?.required) option = word
  }
  return { command: command.name(), places, options, option, current }
}

async function wordsFor(line: Line, io: Io): Promise<readonly string[]> {
  const { command, places, option } = line
  if (command === 'tap' && option === null) return places.length === 0 ? stagesThatRun(line, io) : []
  const file = fileOf(places[0], io)
  if (!file) return []
  if (option === '--connection') return connections(file, command === 'sql' ? 'clickhouse' : 'kafka')
  if (option !== null || places.length !== 1) return []
  if (command === 'schema') return Object.keys(file.flows ?? {})
  return command === 'tail' ? topics(file) : []
}

// ------------------------------------------------------------------------------------------------------- what a file says

interface Block {
  readonly type?: string
  readonly topics?: readonly string[]
  readonly topic?: string | { readonly name?: string }
}

/** As much of a pipeline file as is there while it is written. */
interface HalfFile {
  readonly connections?: Readonly<Record<string, { readonly type?: string } | null>>
  readonly flows?: Readonly<
    Record<string, { readonly source?: Block; readonly sink?: Block; readonly on_error?: { readonly dead_letter?: unknown } }>
  >
}

function fileOf(name: string | undefined, io: Io): HalfFile | null {
  // the shell has not put the home folder in yet
  const file = name === undefined ? null : path.resolve(io.cwd, name.replace(/^~(?=\/)/, io.env.HOME ?? '~'))
  if (file === null || !existsSync(file) || !statSync(file).isFile()) return null
  return parse(readFileSync(file, 'utf8'), { logLevel: 'error' }) as HalfFile | null
}

const connections = ({ connections = {} }: HalfFile, type: string): readonly string[] =>
  Object.entries(connections).flatMap(([name, c]) => ((c?.type ?? name) === type ? [name] : []))

function topics({ flows = {} }: HalfFile): readonly string[] {
  const found = new Set<unknown>()
  for (const { source, sink, on_error } of Object.values(flows)) {
    if (source?.type === 'kafka') for (const topic of source.topics ?? []) found.add(topic)
    if (sink?.type === 'kafka') found.add(typeof sink.topic === 'object' ? sink.topic.name : sink.topic)
    const letters = on_error?.dead_letter
    if (letters !== undefined)
      found.add(letters !== null && typeof letters === 'object' && 'topic' in letters ? letters.topic : letters)
  }
  return [...found].filter(topic => typeof topic === 'string')
}

// ------------------------------------------------------------------------------------------------------------ what runs

/** Somebody waits at the keyboard. */
const PATIENCE_MS = 1_000

/**
 * Places that `connect tap` takes, of flows that have not ended: `PIPELINE/FLOW.STAGE`; once something is typed that begins none of
 * them, `FLOW.STAGE` where one flow alone has the name.
 */
async function stagesThatRun({ options, current }: Line, io: Io): Promise<readonly string[]> {
  const where = { data: options['--data'] ?? '.connect', url: options['--url'], tokenFile: options['--token-file'] }
  const workers = await Promise.allSettled(
    workerAddresses(where, io).map(worker => fetchStatus(worker, AbortSignal.timeout(PATIENCE_MS))),
  )
  const flows = workers
    .flatMap(w => (w.status === 'fulfilled' ? w.value.flows : []))
    .filter(f => !ENDED.includes(f.state))
    .map(({ pipeline, flow, transforms }) => ({ pipeline, flow, stages: stageNames(transforms) }))
  const full = flows.flatMap(f => f.stages.map(stage => `${f.pipeline}/${f.flow}.${stage}`))
  if (full.some(word => word.startsWith(current))) return full
  const single = flows.filter(f => flows.filter(other => other.flow === f.flow).length === 1)
  return single.flatMap(f => f.stages.map(stage => `${f.flow}.${stage}`))
}
