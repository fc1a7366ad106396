import { meantUnit } from '../config/meant_unit'
import { ConnectError } from '../runtime/errors'
import { parseDuration } from '../runtime/fields'
import type { ConnectionSpec, PipelineSpec } from '../runtime/spec'

/** What options that several commands have may say. All throw C019_USAGE, if not said otherwise. */

/** Longest time that a timer of Node can wait, in milliseconds: 24.8 days. A longer one would fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1

/** Milliseconds from `least` to 24 days. */
export function durationOption(flag: string, text: string, least = 0): number {
  const duration = parseDuration(text)
  const refuse = (expected: string): ConnectError => new ConnectError('C019_USAGE', `${flag} ${text}: expected ${expected}`)
  if (duration === null) {
    const meant = meantUnit(text, t => parseDuration(t) !== null)
    throw refuse(`a duration such as 30s or 5m${meant === null ? '' : `; did you mean ${meant}?`}`)
  }
  if (duration < least) throw refuse(`a duration of at least ${least}ms`)
  if (duration > LONGEST_TIMER) throw refuse('a duration of at most 24d')
  return duration
}

/** A whole number above 0; infinite where the option is not given. */
export function countOption(flag: string, text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY
  const count = Number(text)
  if (Number.isInteger(count) && count > 0) return count
  throw new ConnectError('C019_USAGE', `${flag} ${text}: expected a whole number above 0`)
}

/**
 * The connection of a type that `--connection` names; without it the pipeline's home, if it is of that type, else the only one. Throws
 * C010_UNKNOWN_REFERENCE where there is none of that name or type.
 */
export function connectionOption(pipeline: PipelineSpec, type: string, named: string | undefined): ConnectionSpec {
  const all = Object.values(pipeline.connections).filter(c => c.type === type)
  const wanted = named ?? (all.length > 1 ? (pipeline.home ?? undefined) : undefined)
  const found = wanted === undefined ? all : all.filter(c => c.name === wanted)
  const names = all.map(c => c.name).join(', ')
  if (found.length === 1) return found[0]
  if (all.length > 1 && named === undefined) {
    const hint = `choose one with --connection: ${names}`
    throw new ConnectError('C019_USAGE', `${pipeline.file} has several ${type} connections`, { hint })
  }
  const message = `${pipeline.file} has no ${type} connection${named === undefined ? '' : ` "${named}"`}`
  throw new ConnectError('C010_UNKNOWN_REFERENCE', message, all.length > 0 ? { hint: `it has ${names}` } : {})
}
