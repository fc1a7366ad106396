import { ConnectError } from '../../runtime/errors'
import type { Broker, Cluster, FetchRequest, JoinAnswer } from './protocol'

/** One membership of the group: what every request of a session must carry. */
export interface Joined {
  readonly memberId: string
  readonly generation: number
}

export interface MembershipHooks {
  /** A join request is about to be sent: whatever the last session still wants to commit comes too late. */
  joining(): void
  /** The group is about to be left; throws where there is nobody left to tell. */
  leaving(): void
  fetch(broker: Broker, request: FetchRequest): Promise<{ readonly responses: readonly unknown[] }>
}

/**
 * Takes three things over from kafkajs in the brokers of one consumer's cluster.
 *
 * - `joinGroup` is watched: kafkajs keeps the generation to itself and puts whatever is current into a commit at the moment of
 *   sending, so a batch read in the old session would be committed under the new one.
 * - `fetch` is ours (raw_fetch.ts).
 * - `offsetCommit` is refused: kafkajs commits offset -2 without metadata when an offset is out of range, which would wipe the
 *   pending ranges. Our own commits do not pass through it (group_offsets.ts).
 */
export class Membership {
  #joined: Joined | null = null
  #member = false
  readonly #cluster: Cluster
  readonly #hooks: MembershipHooks
  readonly #memory: MemberMemory

  constructor(cluster: Cluster, memory: MemberMemory, hooks: MembershipHooks) {
    this.#cluster = cluster
    this.#hooks = hooks
    this.#memory = memory
    const find = cluster.findBroker.bind(cluster)
    const seen = new WeakSet<Broker>()
    cluster.findBroker = async where => {
      const broker = await find(where)
      if (!seen.has(broker)) {
        seen.add(broker)
        this.#takeOver(broker)
      }
      return broker
    }
  }

  get cluster(): Cluster {
    return this.#cluster
  }

  /** The membership of the last join; null before the first. */
  get joined(): Joined | null {
    return this.#joined
  }

  /** True from the request to join until the group was left: the group may be waiting for this member. */
  get member(): boolean {
    return this.#member
  }

  #takeOver(broker: Broker): void {
    const join = broker.joinGroup.bind(broker)
    const leave = broker.leaveGroup.bind(broker)
    broker.fetch = request => this.#hooks.fetch(broker, request)
    broker.offsetCommit = async () => {
      throw new ConnectError('K001_OFFSET_OUT_OF_RANGE', 'the client tried to move the position by itself; nothing was committed')
    }
    broker.joinGroup = async request => {
      this.#hooks.joining()
      this.#member = true
      const answer: JoinAnswer = await join({ ...request, memberId: request.memberId || this.#memory.take() })
      this.#joined = { memberId: answer.memberId, generation: answer.generationId }
      this.#memory.id = answer.memberId
      return answer
    }
    broker.leaveGroup = async request => {
      this.#hooks.leaving()
      const answer = await leave(request)
      this.#memory.id = ''
      this.#member = false
      return answer
    }
  }
}

/**
 * The member id across consumers of one source. A consumer made again after the broker was away joins under its old id;
 * otherwise the group would wait a session timeout for a member that does not exist any more. Used once: if the group does not
 * know it, kafkajs joins again without.
 */
export class MemberMemory {
  id = ''

  take(): string {
    const { id } = this
    this.id = ''
    return id
  }
}
