import { ErrorCode } from '../errors'
import type { StateEvent, StoredSession } from '../state'
import { Group, type GroupOptions } from './group'
import { GroupOffsets } from './offsets'

export interface GroupsOptions {
  readonly initialRebalanceDelayMs: number
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
}

/** All consumer groups: their members (Group) and their offsets (GroupOffsets). A group exists while it has either. */
export class Groups {
  readonly options: GroupsOptions
  readonly offsets: GroupOffsets
  readonly #record: (event: StateEvent) => void
  readonly #groups = new Map<string, Group>()
  readonly #sessions = new Map<string, StoredSession>()

  constructor(options: GroupsOptions, record: (event: StateEvent) => void) {
    this.options = options
    this.#record = record
    this.offsets = new GroupOffsets(record)
  }

  restore(event: StateEvent): void {
    if (event.kind === 'group') this.#sessions.set(event.group, event.session)
    if (event.kind === 'group-deleted') this.#sessions.delete(event.group)
    this.offsets.restore(event)
  }

  *snapshot(): Iterable<StateEvent> {
    for (const [group, session] of this.#sessions) yield { kind: 'group', group, session }
    yield* this.offsets.snapshot()
  }

  /** Starts the session timers of all members that were there before a restart. */
  open(): void {
    for (const [id, session] of this.#sessions) this.#groups.set(id, Group.restore(id, session, this.#groupOptions(id)))
    for (const id of this.offsets.groups()) this.getOrCreate(id)
  }

  #groupOptions(id: string): GroupOptions {
    return {
      initialRebalanceDelayMs: this.options.initialRebalanceDelayMs,
      stored: session => {
        this.#sessions.set(id, session)
        this.#record({ kind: 'group', group: id, session })
      },
    }
  }

  all(): Group[] {
    return [...this.#groups.values()]
  }

  get(id: string): Group | undefined {
    return this.#groups.get(id)
  }

  getOrCreate(id: string): Group {
    const known = this.#groups.get(id)
    if (known !== undefined) return known
    const group = new Group(id, this.#groupOptions(id))
    this.#groups.set(id, group)
    return group
  }

  delete(id: string): ErrorCode {
    if (id === '') return ErrorCode.INVALID_GROUP_ID
    const group = this.#groups.get(id)
    if (group === undefined) return ErrorCode.GROUP_ID_NOT_FOUND
    if (group.state !== 'Empty') return ErrorCode.NON_EMPTY_GROUP
    this.#record({ kind: 'group-deleted', group: id })
    group.close()
    this.#groups.delete(id)
    this.#sessions.delete(id)
    this.offsets.forgetGroup(id)
    return ErrorCode.NONE
  }

  close(): void {
    for (const group of this.#groups.values()) group.close()
  }
}
