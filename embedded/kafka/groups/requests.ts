import type { ErrorCode } from '../errors'
import type { JoinResult, Protocol, SyncResult } from './member'

export interface JoinRequest {
  readonly memberId: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly host: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  readonly protocols: readonly Protocol[]
  /** From JoinGroup v4: a new dynamic member is given its id first and joins with it (KIP-394). */
  readonly idFirst: boolean
}

export interface SyncRequest {
  readonly memberId: string
  readonly instanceId: string | null
  readonly generation: number
  readonly protocolType: string | null
  readonly protocol: string | null
  readonly assignments: ReadonlyMap<string, Buffer>
}

export interface CommitIdentity {
  readonly memberId: string
  readonly instanceId: string | null
  readonly generation: number
  readonly transactional: boolean
}

export const NO_BYTES = Buffer.alloc(0)

export const refusedJoin = (error: ErrorCode, memberId: string): JoinResult => {
  return { error, generation: -1, protocolType: null, protocol: null, leader: '', memberId, members: [] }
}

export const refusedSync = (error: ErrorCode): SyncResult => ({ error, protocolType: null, protocol: null, assignment: NO_BYTES })
