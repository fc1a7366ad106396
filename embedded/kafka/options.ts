/** How a broker is run. All have defaults but the folder. */
export interface BrokerOptions {
  readonly dataFolder: string
  /** 0: a free one. */
  readonly port: number
  readonly autoCreateTopics: boolean
  /** Partitions of a topic made without saying how many. */
  readonly defaultPartitions: number
  /** ms */
  readonly retentionCheckMs: number
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  readonly initialRebalanceDelayMs: number
}

/**
 * Apache Kafka's own defaults, except that the first member of a group does not wait for others (3,000 ms there): one developer's
 * consumers come when they come.
 */
export const DEFAULT_OPTIONS: Omit<BrokerOptions, 'dataFolder'> = {
  port: 9092,
  autoCreateTopics: true,
  defaultPartitions: 1,
  retentionCheckMs: 300_000,
  minSessionTimeoutMs: 6_000,
  maxSessionTimeoutMs: 1_800_000,
  initialRebalanceDelayMs: 0,
}
