import { type ClientContext, createClient } from './client'
import { orAbort } from './waiting'

/** Names of the topics that this user may see, in the order of the alphabet. Throws kafkajs's errors. */
export async function topicNames(client: ClientContext, signal: AbortSignal): Promise<readonly string[]> {
  const admin = createClient(client).admin()
  try {
    await orAbort(admin.connect(), signal)
    return (await orAbort(admin.listTopics(), signal)).sort()
  } finally {
    await admin.disconnect().catch(() => {})
  }
}
