import type { Consumer } from 'kafkajs'
import type { Connections } from './connections'
import type { Membership } from './membership'
import type { Cluster } from './protocol'
import { atMost } from './waiting'

/** In order; then by force. */
const LEAVE_MS = 5_000
/** Longer than kafkajs waits between two tries (client.ts, RETRY), after which it learns that all is over. */
const SETTLE_MS = 2_000

/** One kafkajs consumer from its making to its end: a source makes another one where it crashed. */
export class Reader {
  readonly consumer: Consumer
  readonly membership: Membership
  readonly #connections: Connections
  /** What was begun with the consumer; kafkajs goes on with it during and after a disconnect. */
  #started: Promise<unknown> = Promise.resolve()
  #starting = false
  #ended: Promise<void> | null = null

  constructor(consumer: Consumer, membership: Membership, connections: Connections) {
    this.consumer = consumer
    this.membership = membership
    this.#connections = connections
  }

  /** `check` looks at the cluster before the topics are subscribed to. */
  connect(topics: readonly string[], check: (cluster: Cluster) => Promise<void>): Promise<void> {
    const connecting = async (): Promise<void> => {
      await this.consumer.connect()
      await check(this.membership.cluster)
      await this.consumer.subscribe({ topics: [...topics] })
    }
    return this.#start(connecting())
  }

  /** Joins the group. Failures are CRASH events too; records do not pass through here (membership.ts). */
  run(): Promise<void> {
    return this.#start(this.consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => {} }))
  }

  /** Leaves the group and closes the connections for good; nothing of the consumer is at work afterwards. Never rejects. */
  end(): Promise<void> {
    this.#ended ??= this.#end()
    return this.#ended
  }

  #start(operation: Promise<void>): Promise<void> {
    this.#starting = true
    const done = (): void => {
      this.#starting = false
    }
    this.#started = operation.then(done, done)
    return operation
  }

  async #end(): Promise<void> {
    const left = this.#leave().catch(() => {})
    await atMost(LEAVE_MS, left)
    await this.#connections.end(SETTLE_MS)
    await atMost(SETTLE_MS, Promise.all([left, this.#started]))
  }

  async #leave(): Promise<void> {
    if (this.#starting) {
      // kafkajs forgets a consumer that is told to disconnect while it joins, and the group would wait for it in vain
      if (!this.membership.member) return
      await this.#started
    }
    await this.consumer.disconnect()
  }
}
