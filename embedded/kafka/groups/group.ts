import { randomUUID } from 'node:crypto'
import { ErrorCode } from '../errors'
import type { StoredSession } from '../state'
import { type JoinResult, Member, type SyncResult } from './member'
import { type CommitIdentity, type JoinRequest, NO_BYTES, refusedJoin, refusedSync, type SyncRequest } from './requests'

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

export interface GroupOptions {
  readonly initialRebalanceDelayMs: number
  /** Called whenever a rebalance has ended, with what a restart must find again. */
  readonly stored: (session: StoredSession) => void
}

/**
 * The classic consumer group protocol, state by state as Apache Kafka's GroupCoordinator has it: members join, the first is leader,
 * the leader assigns, heartbeats keep a member alive, and any change of membership starts the next generation.
 */
export class Group {
  readonly id: string
  readonly #options: GroupOptions
  readonly #members = new Map<string, Member>()
  readonly #static = new Map<string, string>()
  /** Ids given out (KIP-394) whose holders have not joined yet, with the timer that forgets them. */
  readonly #pending = new Map<string, NodeJS.Timeout>()
  #state: GroupState = 'Empty'
  #generation = 0
  #protocolType: string | null = null
  #protocol: string | null = null
  #leader: string | null = null
  #phase: NodeJS.Timeout | undefined

  constructor(id: string, options: GroupOptions) {
    this.id = id
    this.#options = options
  }

  /** A group as it stood before a restart; every member gets a whole session timeout to come back. */
  static restore(id: string, session: StoredSession, options: GroupOptions): Group {
    const group = new Group(id, options)
    group.#generation = session.generation
    group.#protocolType = session.protocolType
    group.#protocol = session.protocol
    group.#leader = session.leader
    for (const stored of session.members) group.#add(Member.restore(stored))
    group.#state = session.members.length > 0 ? 'Stable' : 'Empty'
    return group
  }

  get state(): GroupState {
    return this.#state
  }

  get generation(): number {
    return this.#generation
  }

  get protocolType(): string | null {
    return this.#protocolType
  }

  get protocol(): string | null {
    return this.#protocol
  }

  get members(): readonly Member[] {
    return [...this.#members.values()]
  }

  get session(): StoredSession {
    const members = this.members.map(member => member.stored())
    return {
      generation: this.#generation,
      protocolType: this.#protocolType,
      protocol: this.#protocol,
      leader: this.#leader,
      members,
    }
  }

  /** Answers when the rebalance that it starts or takes part in has gathered the members. */
  async join(request: JoinRequest): Promise<JoinResult> {
    const { memberId } = request
    if (this.#state === 'Dead') return refusedJoin(ErrorCode.COORDINATOR_NOT_AVAILABLE, memberId)
    if (!this.#speaks(request)) return refusedJoin(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, memberId)
    if (memberId === '') return this.#joinNew(request)
    const pending = this.#pending.get(memberId)
    if (pending !== undefined) {
      clearTimeout(pending)
      this.#pending.delete(memberId)
      return this.#admit(memberId, request)
    }
    const refusal = this.#checkMember(memberId, request.instanceId)
    const member = this.#members.get(memberId)
    if (refusal !== ErrorCode.NONE || member === undefined) return refusedJoin(refusal, memberId)
    const unchanged = member.hasSameProtocols(request.protocols)
    const repeated = this.#state === 'CompletingRebalance' && unchanged
    // a follower may join again at will; a leader does so to start a rebalance, because only it may see that one is needed
    const idle = this.#state === 'Stable' && unchanged && memberId !== this.#leader
    if (repeated || idle) {
      this.#alive(member)
      return this.#joined(member)
    }
    member.sessionTimeoutMs = request.sessionTimeoutMs
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    member.protocols = request.protocols
    return this.#rejoin(member)
  }

  async #joinNew(request: JoinRequest): Promise<JoinResult> {
    const id = `${request.instanceId ?? request.clientId}-${randomUUID()}`
    const known = request.instanceId === null ? undefined : this.#static.get(request.instanceId)
    if (known !== undefined) return this.#replaceStatic(known, id, request)
    if (!request.idFirst || request.instanceId !== null) return this.#admit(id, request)
    const forget = (): void => {
      this.#pending.delete(id)
      this.#tryCompleteJoin()
    }
    this.#pending.set(id, setTimeout(forget, request.sessionTimeoutMs))
    return refusedJoin(ErrorCode.MEMBER_ID_REQUIRED, id)
  }

  /** A static member came back under a new id: the old one is fenced, and if nothing changed the group goes on without a rebalance. */
  async #replaceStatic(oldId: string, id: string, request: JoinRequest): Promise<JoinResult> {
    const old = this.#members.get(oldId)
    old?.awaitingJoin?.(refusedJoin(ErrorCode.FENCED_INSTANCE_ID, oldId))
    old?.awaitingSync?.(refusedSync(ErrorCode.FENCED_INSTANCE_ID))
    const unchanged = this.#state === 'Stable' && old?.hasSameProtocols(request.protocols) === true
    const wasLeader = this.#leader === oldId
    this.#drop(oldId)
    const member = this.#add(new Member({ ...request, id }))
    if (old !== undefined) member.assignment = old.assignment
    if (wasLeader) this.#leader = id
    if (!unchanged) return this.#rejoin(member)
    this.#options.stored(this.session)
    return this.#joined(member)
  }

  #admit(id: string, request: JoinRequest): Promise<JoinResult> {
    const member = this.#add(new Member({ ...request, id }))
    if (this.#members.size === 1) this.#protocolType = request.protocolType
    this.#leader ??= id
    return this.#rejoin(member)
  }

  /** Holds the member's request until the joining phase is over. */
  #rejoin(member: Member): Promise<JoinResult> {
    member.awaitingJoin?.(refusedJoin(ErrorCode.REBALANCE_IN_PROGRESS, member.id))
    const joined = new Promise<JoinResult>(answer => {
      member.awaitingJoin = answer
    })
    this.#prepareRebalance()
    return joined
  }

  #speaks({ protocolType, protocols }: JoinRequest): boolean {
    if (protocolType === '' || protocols.length === 0) return false
    if (this.#members.size === 0) return true
    if (protocolType !== this.#protocolType) return false
    const common = this.#commonProtocols()
    return protocols.some(({ name }) => common.has(name))
  }

  #commonProtocols(): Set<string> {
    const [first, ...others] = this.members
    const names = first?.protocols.map(({ name }) => name) ?? []
    return new Set(names.filter(name => others.every(member => member.protocols.some(protocol => protocol.name === name))))
  }

  #add(member: Member): Member {
    this.#members.set(member.id, member)
    if (member.instanceId !== null) this.#static.set(member.instanceId, member.id)
    member.timer = setTimeout(() => this.#expire(member), member.sessionTimeoutMs)
    return member
  }

  #drop(id: string): void {
    const member = this.#members.get(id)
    if (member === undefined) return
    clearTimeout(member.timer)
    this.#members.delete(id)
    if (member.instanceId !== null) this.#static.delete(member.instanceId)
    if (this.#leader === id) this.#leader = this.#members.keys().next().value ?? null
  }

  #alive(member: Member): void {
    clearTimeout(member.timer)
    member.timer = setTimeout(() => this.#expire(member), member.sessionTimeoutMs)
  }

  /** A member whose request is held here cannot send heartbeats, so it is alive as long as it waits. */
  #expire(member: Member): void {
    if (member.awaitingJoin !== undefined || member.awaitingSync !== undefined) this.#alive(member)
    else this.#remove(member.id)
  }

  #remove(id: string): void {
    const member = this.#members.get(id)
    member?.awaitingJoin?.(refusedJoin(ErrorCode.UNKNOWN_MEMBER_ID, id))
    member?.awaitingSync?.(refusedSync(ErrorCode.UNKNOWN_MEMBER_ID))
    this.#drop(id)
    if (this.#state === 'PreparingRebalance') this.#tryCompleteJoin()
    else this.#prepareRebalance()
  }

  #prepareRebalance(): void {
    if (this.#state === 'PreparingRebalance') {
      this.#tryCompleteJoin()
      return
    }
    const initial = this.#state === 'Empty'
    for (const member of this.#members.values()) {
      member.awaitingSync?.(refusedSync(ErrorCode.REBALANCE_IN_PROGRESS))
      member.awaitingSync = undefined
      member.assignment = NO_BYTES
    }
    this.#state = 'PreparingRebalance'
    const longest = Math.max(0, ...this.members.map(member => member.rebalanceTimeoutMs))
    this.#startPhase(initial ? this.#options.initialRebalanceDelayMs : longest, () => this.#completeJoin())
    if (!initial) this.#tryCompleteJoin()
  }

  #startPhase(ms: number, end: () => void): void {
    clearTimeout(this.#phase)
    this.#phase = setTimeout(end, ms)
  }

  #tryCompleteJoin(): void {
    if (this.#state !== 'PreparingRebalance' || this.#pending.size > 0) return
    if (this.members.every(member => member.awaitingJoin !== undefined)) this.#completeJoin()
  }

  /** The joining phase is over: those who did not come back are out (static ones stay), the next generation begins. */
  #completeJoin(): void {
    clearTimeout(this.#phase)
    for (const member of this.members) if (member.awaitingJoin === undefined && member.instanceId === null) this.#drop(member.id)
    this.#generation++
    if (this.#members.size === 0) {
      this.#state = 'Empty'
      this.#protocol = null
      this.#leader = null
      this.#options.stored(this.session)
      return
    }
    const joined = this.members.filter(member => member.awaitingJoin !== undefined)
    if (!joined.some(member => member.id === this.#leader)) this.#leader = joined[0]?.id ?? this.#leader
    this.#protocol = this.#electProtocol()
    this.#state = 'CompletingRebalance'
    for (const member of joined) {
      this.#alive(member)
      const answer = member.awaitingJoin
      member.awaitingJoin = undefined
      answer?.(this.#joined(member))
    }
    const longest = Math.max(...this.members.map(member => member.rebalanceTimeoutMs))
    this.#startPhase(longest, () => this.#endSyncPhase())
  }

  /** Who has not asked for its assignment within the rebalance timeout is out. */
  #endSyncPhase(): void {
    if (this.#state !== 'CompletingRebalance') return
    for (const member of this.members) if (member.awaitingSync === undefined) this.#drop(member.id)
    this.#prepareRebalance()
  }

  #electProtocol(): string | null {
    const candidates = this.#commonProtocols()
    const votes = new Map<string, number>()
    for (const member of this.#members.values()) {
      const choice = member.vote(candidates)
      if (choice !== undefined) votes.set(choice, (votes.get(choice) ?? 0) + 1)
    }
    let elected: string | null = null
    for (const [name, count] of votes) if (elected === null || count > (votes.get(elected) ?? 0)) elected = name
    return elected
  }

  #joined(member: Member): JoinResult {
    const leads = member.id === this.#leader
    return {
      error: ErrorCode.NONE,
      generation: this.#generation,
      protocolType: this.#protocolType,
      protocol: this.#protocol,
      leader: this.#leader ?? '',
      memberId: member.id,
      members: leads
        ? this.members.map(other => ({ id: other.id, instanceId: other.instanceId, metadata: other.metadata(this.#protocol) }))
        : [],
    }
  }

  /** Answers with the member's assignment once the leader has sent all of them. */
  async sync(request: SyncRequest): Promise<SyncResult> {
    const refusal = this.#checkSession(request)
    const member = this.#members.get(request.memberId)
    if (refusal !== ErrorCode.NONE || member === undefined) return refusedSync(refusal)
    const differs = (sent: string | null, own: string | null): boolean => sent !== null && sent !== own
    if (differs(request.protocolType, this.#protocolType) || differs(request.protocol, this.#protocol)) {
      return refusedSync(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    }
    if (this.#state === 'PreparingRebalance') return refusedSync(ErrorCode.REBALANCE_IN_PROGRESS)
    this.#alive(member)
    if (this.#state === 'Stable') return this.#synced(member)
    member.awaitingSync?.(refusedSync(ErrorCode.REBALANCE_IN_PROGRESS))
    const synced = new Promise<SyncResult>(answer => {
      member.awaitingSync = answer
    })
    if (member.id === this.#leader) this.#assign(request.assignments)
    return synced
  }

  #assign(assignments: ReadonlyMap<string, Buffer>): void {
    clearTimeout(this.#phase)
    for (const member of this.#members.values()) member.assignment = assignments.get(member.id) ?? NO_BYTES
    this.#state = 'Stable'
    this.#options.stored(this.session)
    for (const member of this.#members.values()) {
      const answer = member.awaitingSync
      member.awaitingSync = undefined
      answer?.(this.#synced(member))
    }
  }

  #synced(member: Member): SyncResult {
    return { error: ErrorCode.NONE, protocolType: this.#protocolType, protocol: this.#protocol, assignment: member.assignment }
  }

  heartbeat(identity: { readonly memberId: string; readonly instanceId: string | null; readonly generation: number }): ErrorCode {
    const refusal = this.#checkSession(identity)
    const member = this.#members.get(identity.memberId)
    if (refusal !== ErrorCode.NONE || member === undefined) return refusal
    this.#alive(member)
    return this.#state === 'PreparingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
  }

  leave(memberId: string, instanceId: string | null): ErrorCode {
    const pending = this.#pending.get(memberId)
    if (pending !== undefined) {
      clearTimeout(pending)
      this.#pending.delete(memberId)
      this.#tryCompleteJoin()
      return ErrorCode.NONE
    }
    const id = memberId === '' && instanceId !== null ? (this.#static.get(instanceId) ?? '') : memberId
    const refusal = this.#checkMember(id, instanceId)
    if (refusal === ErrorCode.NONE) this.#remove(id)
    return refusal
  }

  /** Whether offsets may be committed: the rules of Kafka's ClassicGroup.validateOffsetCommit. */
  checkCommit(identity: CommitIdentity): ErrorCode {
    if (this.#state === 'Dead') return ErrorCode.COORDINATOR_NOT_AVAILABLE
    if (identity.generation < 0 && this.#state === 'Empty') return ErrorCode.NONE
    const claimsMembership = identity.generation >= 0 || identity.memberId !== '' || identity.instanceId !== null
    if (claimsMembership) {
      const refusal = this.#checkSession(identity)
      if (refusal !== ErrorCode.NONE) return refusal
    } else if (!identity.transactional && this.#state !== 'Empty') return ErrorCode.UNKNOWN_MEMBER_ID
    if (!identity.transactional && this.#state === 'CompletingRebalance') return ErrorCode.REBALANCE_IN_PROGRESS
    const member = this.#members.get(identity.memberId)
    if (member !== undefined) this.#alive(member)
    return ErrorCode.NONE
  }

  #checkMember(memberId: string, instanceId: string | null): ErrorCode {
    if (instanceId !== null) {
      const current = this.#static.get(instanceId)
      if (current === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
      if (current !== memberId) return ErrorCode.FENCED_INSTANCE_ID
    }
    return this.#members.has(memberId) ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID
  }

  #checkSession(identity: {
    readonly memberId: string
    readonly instanceId: string | null
    readonly generation: number
  }): ErrorCode {
    const refusal = this.#checkMember(identity.memberId, identity.instanceId)
    if (refusal !== ErrorCode.NONE) return refusal
    return identity.generation === this.#generation ? ErrorCode.NONE : ErrorCode.ILLEGAL_GENERATION
  }

  /** Ends the group: nobody can join it again and no timer is left. Waiting requests are answered. */
  close(): void {
    this.#state = 'Dead'
    clearTimeout(this.#phase)
    for (const timer of this.#pending.values()) clearTimeout(timer)
    this.#pending.clear()
    for (const member of this.members) {
      member.awaitingJoin?.(refusedJoin(ErrorCode.COORDINATOR_NOT_AVAILABLE, member.id))
      member.awaitingSync?.(refusedSync(ErrorCode.COORDINATOR_NOT_AVAILABLE))
      this.#drop(member.id)
    }
  }
}
