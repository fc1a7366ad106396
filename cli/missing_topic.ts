import type { ClientContext } from '../connectors/kafka/client'
import { topicNames } from '../connectors/kafka/topic_names'
import { ConnectError, ERRORS } from '../runtime/errors'
import { byLikeness, didYouMean } from '../runtime/registry'

const SHOWN = 8
const LOOK_MS = 3_000

/** Topics of brokers, registries and of our own, which nobody looks for unless they say so. */
const INTERNAL = /^(__|_schemas|_connect|_confluent)/

/**
 * K005 for somebody who looks at a topic now, with the topics that are there; another error as it is. A run waits for its topics and
 * its hint says so; who looks does not wait.
 */
export async function missingTopic(error: unknown, topic: string, client: ClientContext, signal: AbortSignal): Promise<unknown> {
  if (!(error instanceof ConnectError) || error.code !== 'K005_UNKNOWN_TOPIC') return error
  const { code, message, stage, retriable } = error
  // the topic is missing whether or not the list can be had
  const names = await topicNames(client, AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)])).catch(() => null)
  const hint = names ? topicsHint(topic, names) : ERRORS[code].hint
  return new ConnectError(code, message, { stage, retriable, cause: error, hint })
}

/** What was probably meant, and the topics there are: the most alike first, and how many more. */
export function topicsHint(topic: string, names: readonly string[]): string {
  const known = topic.startsWith('_') ? names : names.filter(name => !INTERNAL.test(name))
  if (known.length === 0) return 'there are no topics yet; create it, or check the brokers'
  const near = didYouMean(topic, known)
  const first = byLikeness(topic, known).slice(0, SHOWN)
  const more = known.length - first.length
  const list = `the topics are ${first.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  return near === null ? list : `did you mean ${near}? ${list}`
}
