/** A partition of a source: a topic's partition, or 0 of a file set or generator. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** Offsets `from`..`to` of one partition, both inclusive. */
export interface OffsetRange extends TopicPartition {
  readonly from: number
  readonly to: number
}

/**
 * Where a batch came from: its lane and the exact ranges it covers, in partition order. Carried through every transform
 * unchanged; it decides the deduplication token and what is re-read after a crash.
 */
export interface Origin {
  readonly lane: number
  readonly ranges: readonly OffsetRange[]
}

/** Key of a partition in maps and messages. Topic names cannot hold a `|` (Kafka allows letters, digits, `.`, `_`, `-`). */
export const partitionKey = (p: TopicPartition): string => `${p.topic}|${p.partition}`

export const originText = (origin: Origin): string =>
  `lane ${origin.lane}: ${origin.ranges.map(r => `${r.topic}/${r.partition} ${r.from}..${r.to}`).join(', ')}`
