/** Where a group has got to in one partition. */
export interface CommittedOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string | null
}

export interface PartitionRef {
  readonly topic: string
  readonly partition: number
}

export type TransactionOutcome = 'commit' | 'abort'

/** An ongoing or prepared transaction; `prepared` says that its outcome is decided and its markers may be partly written. */
export interface OpenTransaction {
  readonly startedAt: number
  readonly partitions: readonly PartitionRef[]
  /** Consumer groups whose offsets it will commit. */
  readonly groups: readonly string[]
  readonly prepared?: TransactionOutcome
}

export interface StoredMember {
  readonly id: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly host: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** Name and metadata (base64) of each protocol the member supports, in its order of preference. */
  readonly protocols: readonly (readonly [string, string])[]
  /** base64 */
  readonly assignment: string
}

/** A group as it stood when its last rebalance ended, so that a restart of the broker is not a rebalance. */
export interface StoredSession {
  readonly generation: number
  readonly protocolType: string | null
  readonly protocol: string | null
  readonly leader: string | null
  readonly members: readonly StoredMember[]
}

/**
 * Every event of the journal. Applying them in order gives the broker's state; applying one twice gives the same state.
 * `topic`, `group` and `transaction` carry the whole new value, the others a change.
 */
export type StateEvent =
  | { readonly kind: 'cluster'; readonly id: string }
  | {
      readonly kind: 'topic'
      readonly name: string
      readonly id: string
      readonly partitions: number
      readonly configs: Readonly<Record<string, string>>
    }
  | { readonly kind: 'topic-deleted'; readonly name: string }
  | { readonly kind: 'log-start'; readonly topic: string; readonly partition: number; readonly offset: number }
  | { readonly kind: 'group'; readonly group: string; readonly session: StoredSession }
  | { readonly kind: 'group-deleted'; readonly group: string }
  | { readonly kind: 'offsets'; readonly group: string; readonly offsets: readonly CommittedOffset[] }
  | { readonly kind: 'offsets-deleted'; readonly group: string; readonly partitions: readonly PartitionRef[] }
  | {
      readonly kind: 'pending-offsets'
      readonly group: string
      readonly producerId: number
      readonly offsets: readonly CommittedOffset[]
    }
  | { readonly kind: 'pending-ended'; readonly group: string; readonly producerId: number; readonly outcome: TransactionOutcome }
  | { readonly kind: 'producer-ids'; readonly reserved: number }
  | {
      readonly kind: 'transaction'
      readonly id: string
      readonly producerId: number
      readonly epoch: number
      readonly timeoutMs: number
      readonly last?: TransactionOutcome
      readonly open?: OpenTransaction
    }
