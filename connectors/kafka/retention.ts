import { ConfigResourceTypes, type Kafka } from 'kafkajs'

export interface RetentionOptions {
  readonly kafka: Kafka
  readonly topic: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Called once at most: the topic keeps records for so long, and one is written that is older. Milliseconds. */
  readonly expires: (oldest: number, retention: number) => void
}

/** Younger records are within every retention that somebody would choose. */
const OLD_MS = 60_000

/**
 * A broker deletes by the records' own times, at its next look, every five minutes by default (`log.retention.check.interval.ms`).
 * It deletes whole segments, by their youngest record, and the marks of transactions count with the time of their writing: tried with
 * Apache Kafka 4.3, history is gone if a look comes before the first transaction of a segment has ended, else it stays for the
 * retention from its writing on. The embedded broker never deletes what a transaction has not ended.
 *
 * Looks the topic's retention up when the first old record is written, so that live flows pay nothing; where this user may not,
 * nothing is said.
 */
export class Retention {
  readonly #o: RetentionOptions
  /** Undefined: not known yet; null: nothing is deleted by these times. */
  #retention: number | null | undefined
  #looking: Promise<void> | null = null
  #told = false

  constructor(options: RetentionOptions) {
    this.#o = options
  }

  /** Told of each batch, with the time of its oldest record. */
  wrote(oldest: number): void {
    if (this.#told || this.#o.now() - oldest < OLD_MS) return
    if (this.#retention === undefined) this.#looking ??= this.#look(oldest)
    else this.#judge(oldest, this.#retention)
  }

  /** Resolves when nothing is looked up any more. Never rejects. */
  async close(): Promise<void> {
    await this.#looking
  }

  async #look(oldest: number): Promise<void> {
    const admin = this.#o.kafka.admin()
    try {
      await admin.connect()
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: ConfigResourceTypes.TOPIC, name: this.#o.topic, configNames: [...SETTINGS] }],
      })
      const has = new Map(resources[0]?.configEntries.map(e => [e.configName, e.configValue]))
      const [retention, policy, time] = SETTINGS.map(name => has.get(name) ?? '')
      const deletes = policy.includes('delete') && time === 'CreateTime' && Number(retention) >= 0
      this.#retention = deletes ? Number(retention) : null
    } catch {
      this.#retention = null
    } finally {
      await admin.disconnect().catch(() => {})
    }
    this.#judge(oldest, this.#retention)
  }

  #judge(oldest: number, retention: number | null): void {
    if (retention === null || this.#o.now() - oldest <= retention) return
    this.#told = true
    this.#o.expires(oldest, retention)
  }
}

const SETTINGS = ['retention.ms', 'cleanup.policy', 'message.timestamp.type'] as const
