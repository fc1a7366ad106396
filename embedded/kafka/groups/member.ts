import type { ErrorCode } from '../errors'
import type { StoredMember } from '../state'

export interface Protocol {
  readonly name: string
  readonly metadata: Buffer
}

export interface JoinedMember {
  readonly id: string
  readonly instanceId: string | null
  readonly metadata: Buffer
}

export interface JoinResult {
  readonly error: ErrorCode
  readonly generation: number
  readonly protocolType: string | null
  readonly protocol: string | null
  readonly leader: string
  readonly memberId: string
  /** All members with their metadata for the leader, empty for the others. */
  readonly members: readonly JoinedMember[]
}

export interface SyncResult {
  readonly error: ErrorCode
  readonly protocolType: string | null
  readonly protocol: string | null
  readonly assignment: Buffer
}

const NO_BYTES = Buffer.alloc(0)

/** One member of a group and what it waits for. */
export class Member {
  readonly id: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly host: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocols: readonly Protocol[]
  assignment: Buffer = NO_BYTES
  /** Answers the JoinGroup or SyncGroup that is held back. */
  awaitingJoin: ((result: JoinResult) => void) | undefined
  awaitingSync: ((result: SyncResult) => void) | undefined
  timer: NodeJS.Timeout | undefined

  constructor(fields: Omit<StoredMember, 'protocols' | 'assignment'> & { readonly protocols: readonly Protocol[] }) {
    this.id = fields.id
    this.instanceId = fields.instanceId
    this.clientId = fields.clientId
    this.host = fields.host
    this.sessionTimeoutMs = fields.sessionTimeoutMs
    this.rebalanceTimeoutMs = fields.rebalanceTimeoutMs
    this.protocols = fields.protocols
  }

  static restore(stored: StoredMember): Member {
    const protocols = stored.protocols.map(([name, metadata]) => ({ name, metadata: Buffer.from(metadata, 'base64') }))
    const member = new Member({ ...stored, protocols })
    member.assignment = Buffer.from(stored.assignment, 'base64')
    return member
  }

  stored(): StoredMember {
    const { id, instanceId, clientId, host, sessionTimeoutMs, rebalanceTimeoutMs } = this
    const protocols = this.protocols.map(({ name, metadata }) => [name, metadata.toString('base64')] as const)
    return {
      id,
      instanceId,
      clientId,
      host,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      protocols,
      assignment: this.assignment.toString('base64'),
    }
  }

  metadata(protocol: string | null): Buffer {
    return this.protocols.find(({ name }) => name === protocol)?.metadata ?? NO_BYTES
  }

  hasSameProtocols(protocols: readonly Protocol[]): boolean {
    if (protocols.length !== this.protocols.length) return false
    return this.protocols.every(
      (own, i) => own.name === protocols[i]?.name && own.metadata.equals(protocols[i]?.metadata ?? NO_BYTES),
    )
  }

  /** Its first choice among the candidates. */
  vote(candidates: ReadonlySet<string>): string | undefined {
    return this.protocols.find(({ name }) => candidates.has(name))?.name
  }
}
