import { ConnectError } from '../../runtime/errors'
import type { Makers } from '../../runtime/plugin'
import { UnknownTopics } from './topics'

/** Topics that other programs make at the same time are waited for this long after a start. */
const TOPIC_WAIT_MS = 30_000

/**
 * What a K005 means for a flow that has been starting for `waited` milliseconds: K009, to be waited out for as long as it takes, where
 * flows of the same run make all that is missing; the end, where one that should have made it has failed; else K005, to be waited
 * out for a while, because somebody else may make it.
 */
export function judgeMissing(error: ConnectError, makers: ReadonlyMap<string, Makers>, waited: number): ConnectError {
  const missing = error instanceof UnknownTopics ? error.topics.map(t => makers.get(t) ?? NOBODY) : [NOBODY]
  const details = { stage: 'read', cause: error } as const
  if (missing.every(m => m.working.length > 0)) {
    const flows = flowsOf(missing.flatMap(m => m.working))
    return new ConnectError('K009_TOPIC_PENDING', `${error.message} yet: waits for ${flows}, which creates it`, details)
  }
  const failed = missing.filter(m => m.working.length === 0).flatMap(m => m.failed)
  if (failed.length > 0) {
    const hint = `${flowsOf(failed)}, which creates it, has failed: see what it says`
    return new ConnectError(error.code, error.message, { ...details, retriable: false, hint })
  }
  const retriable = waited < TOPIC_WAIT_MS
  const hint = `${error.hint}${retriable ? `; a start waits ${TOPIC_WAIT_MS / 1000} s for it` : ''}`
  return new ConnectError(error.code, error.message, { ...details, retriable, hint })
}

const NOBODY: Makers = { working: [], failed: [] }

const flowsOf = (names: readonly string[]): string => [...new Set(names)].map(n => `flow ${n}`).join(' or ')
