import type { StateEvent } from '../state'

/** Ids reserved by one event of the journal, as Kafka's controller hands them out in blocks. */
const BLOCK = 1000

/** Producer ids, never given twice: a block is recorded before its first id is used, and a restart goes on after the block. */
export class ProducerIds {
  readonly #record: (event: StateEvent) => void
  #next = 0
  #reserved = 0

  constructor(record: (event: StateEvent) => void) {
    this.#record = record
  }

  restore(event: StateEvent): void {
    if (event.kind !== 'producer-ids') return
    this.#next = event.reserved
    this.#reserved = event.reserved
  }

  *snapshot(): Iterable<StateEvent> {
    yield { kind: 'producer-ids', reserved: this.#reserved }
  }

  next(): number {
    if (this.#next === this.#reserved) {
      this.#reserved += BLOCK
      this.#record({ kind: 'producer-ids', reserved: this.#reserved })
    }
    return this.#next++
  }
}
