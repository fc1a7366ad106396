import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { Groups } from './groups/groups'
import { Journal } from './journal'
import type { BrokerOptions } from './options'
import type { StateEvent } from './state'
import { Topics } from './topics/topics'
import { Transactions } from './transactions/transactions'

export interface Node {
  readonly id: number
  readonly host: string
  readonly port: number
}

export const HOST = '127.0.0.1'
const NODE_ID = 1

/**
 * One broker over one data folder: topics, groups, transactions, and the journal that all three record their changes in.
 * Start order matters: the journal is replayed first, then logs are opened, then decided transactions are finished in them. Only a
 * broker that is whole is given to a listener.
 */
export class Broker {
  readonly options: BrokerOptions
  readonly topics: Topics
  readonly groups: Groups
  readonly transactions: Transactions
  /** Prints one line for the person who runs the broker. */
  readonly log: (line: string) => void
  readonly #journal: Journal
  readonly #retention: NodeJS.Timeout
  #clusterId = randomBytes(16).toString('base64url')
  #port = 0

  /** Opens the folder, which nobody else may have open. */
  constructor(options: BrokerOptions, log: (line: string) => void) {
    this.options = options
    this.log = log
    mkdirSync(options.dataFolder, { recursive: true })
    const record = (event: StateEvent): void => this.#journal.append(event)
    this.topics = new Topics(path.join(options.dataFolder, 'topics'), record)
    this.groups = new Groups(options, record)
    this.transactions = new Transactions({ topics: this.topics, offsets: this.groups.offsets, record })
    const snapshot = (): Iterable<StateEvent> => this.#snapshot()
    this.#journal = Journal.open(path.join(options.dataFolder, 'journal'), event => this.#restore(event), snapshot)
    this.topics.open()
    this.groups.open()
    this.transactions.open()
    this.#retention = setInterval(() => this.topics.enforceRetention(Date.now()), options.retentionCheckMs)
  }

  #restore(event: StateEvent): void {
    if (event.kind === 'cluster') this.#clusterId = event.id
    this.topics.restore(event)
    this.groups.restore(event)
    this.transactions.restore(event)
  }

  *#snapshot(): Iterable<StateEvent> {
    yield { kind: 'cluster', id: this.#clusterId }
    yield* this.topics.snapshot()
    yield* this.groups.snapshot()
    yield* this.transactions.snapshot()
  }

  get clusterId(): string {
    return this.#clusterId
  }

  get node(): Node {
    return { id: NODE_ID, host: HOST, port: this.#port }
  }

  /** Tells the broker the port that clients are sent to. */
  advertise(port: number): void {
    this.#port = port
  }

  /** Deletes a topic and what groups have committed for it. */
  deleteTopic(name: string): void {
    this.topics.delete(name)
    this.groups.offsets.forgetTopic(name)
  }

  /** The options under the names Apache Kafka has for them. */
  describeOptions(): Readonly<Record<string, string>> {
    const { options } = this
    return {
      'auto.create.topics.enable': String(options.autoCreateTopics),
      'default.replication.factor': '1',
      'group.initial.rebalance.delay.ms': String(options.initialRebalanceDelayMs),
      'group.max.session.timeout.ms': String(options.maxSessionTimeoutMs),
      'group.min.session.timeout.ms': String(options.minSessionTimeoutMs),
      'log.dirs': options.dataFolder,
      'log.retention.check.interval.ms': String(options.retentionCheckMs),
      'num.partitions': String(options.defaultPartitions),
    }
  }

  /** Ends all timers and closes all files; the listener must be closed before. */
  close(): void {
    clearInterval(this.#retention)
    this.groups.close()
    this.transactions.close()
    this.topics.close()
    this.#journal.close()
  }
}
