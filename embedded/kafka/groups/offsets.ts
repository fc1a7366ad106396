import type { CommittedOffset, PartitionRef, StateEvent, TransactionOutcome } from '../state'

const keyOf = ({ topic, partition }: PartitionRef): string => `${topic}:${partition}`

type Offsets = Map<string, CommittedOffset>

/** Committed offsets of all groups, and those that open transactions will commit. Each change is recorded before it is done. */
export class GroupOffsets {
  readonly #record: (event: StateEvent) => void
  readonly #committed = new Map<string, Offsets>()
  /** group -> producer id -> offsets */
  readonly #pending = new Map<string, Map<number, Offsets>>()

  constructor(record: (event: StateEvent) => void) {
    this.#record = record
  }

  restore(event: StateEvent): void {
    if (event.kind === 'offsets') this.#commit(event.group, event.offsets)
    if (event.kind === 'offsets-deleted') this.#delete(event.group, event.partitions)
    if (event.kind === 'pending-offsets') this.#addPending(event.group, event.producerId, event.offsets)
    if (event.kind === 'pending-ended') this.#endPending(event.group, event.producerId, event.outcome)
    if (event.kind === 'group-deleted') this.#committed.delete(event.group)
    if (event.kind === 'topic-deleted') this.#forgetTopic(event.name)
  }

  *snapshot(): Iterable<StateEvent> {
    for (const [group, offsets] of this.#committed) yield { kind: 'offsets', group, offsets: [...offsets.values()] }
    for (const [group, producers] of this.#pending) {
      for (const [producerId, offsets] of producers)
        yield { kind: 'pending-offsets', group, producerId, offsets: [...offsets.values()] }
    }
  }

  groups(): string[] {
    return [...this.#committed.keys()]
  }

  has(group: string): boolean {
    return this.#committed.has(group)
  }

  get(group: string, at: PartitionRef): CommittedOffset | undefined {
    return this.#committed.get(group)?.get(keyOf(at))
  }

  all(group: string): CommittedOffset[] {
    return [...(this.#committed.get(group)?.values() ?? [])]
  }

  /** Whether an open transaction is about to commit an offset here (UNSTABLE_OFFSET_COMMIT for `require_stable` readers). */
  isPending(group: string, at: PartitionRef): boolean {
    return [...(this.#pending.get(group)?.values() ?? [])].some(offsets => offsets.has(keyOf(at)))
  }

  commit(group: string, offsets: readonly CommittedOffset[]): void {
    if (offsets.length === 0) return
    this.#record({ kind: 'offsets', group, offsets })
    this.#commit(group, offsets)
  }

  #commit(group: string, offsets: Iterable<CommittedOffset>): void {
    const known = this.#committed.get(group) ?? new Map<string, CommittedOffset>()
    for (const offset of offsets) known.set(keyOf(offset), offset)
    this.#committed.set(group, known)
  }

  addPending(group: string, producerId: number, offsets: readonly CommittedOffset[]): void {
    if (offsets.length === 0) return
    this.#record({ kind: 'pending-offsets', group, producerId, offsets })
    this.#addPending(group, producerId, offsets)
  }

  #addPending(group: string, producerId: number, offsets: readonly CommittedOffset[]): void {
    const producers = this.#pending.get(group) ?? new Map<number, Offsets>()
    const pending: Offsets = producers.get(producerId) ?? new Map()
    for (const offset of offsets) pending.set(keyOf(offset), offset)
    producers.set(producerId, pending)
    this.#pending.set(group, producers)
  }

  /** A transaction ended: its offsets count from now, or never did. */
  endPending(group: string, producerId: number, outcome: TransactionOutcome): void {
    if (this.#pending.get(group)?.has(producerId) !== true) return
    this.#record({ kind: 'pending-ended', group, producerId, outcome })
    this.#endPending(group, producerId, outcome)
  }

  #endPending(group: string, producerId: number, outcome: TransactionOutcome): void {
    const producers = this.#pending.get(group)
    const pending = producers?.get(producerId)
    if (producers === undefined || pending === undefined) return
    if (outcome === 'commit') this.#commit(group, pending.values())
    producers.delete(producerId)
    if (producers.size === 0) this.#pending.delete(group)
  }

  delete(group: string, partitions: readonly PartitionRef[]): void {
    this.#record({ kind: 'offsets-deleted', group, partitions })
    this.#delete(group, partitions)
  }

  #delete(group: string, partitions: readonly PartitionRef[]): void {
    for (const at of partitions) this.#committed.get(group)?.delete(keyOf(at))
  }

  /** The group is gone; its deletion is recorded by the caller. */
  forgetGroup(group: string): void {
    this.#committed.delete(group)
    this.#pending.delete(group)
  }

  /** The topic is gone (its deletion is recorded by the caller): a topic made again starts without offsets, as in Kafka. */
  forgetTopic(topic: string): void {
    this.#forgetTopic(topic)
  }

  #forgetTopic(topic: string): void {
    const forget = (offsets: Offsets): void => {
      for (const [key, offset] of offsets) if (offset.topic === topic) offsets.delete(key)
    }
    for (const offsets of this.#committed.values()) forget(offsets)
    for (const producers of this.#pending.values()) for (const offsets of producers.values()) forget(offsets)
  }
}
