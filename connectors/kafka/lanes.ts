import { createHash } from 'node:crypto'
import { AssignerProtocol, type PartitionAssigner } from 'kafkajs'
import { ConnectError } from '../../runtime/errors'
import type { TopicPartition } from '../../runtime/origin'
import { clusterOf } from './protocol'

/**
 * Which lane a partition belongs to, and which member of the group works on which lane. Every partition of a flow belongs to
 * one of L lanes and a lane is owned whole; L never depends on the number of workers or partitions, so that new ones move
 * nothing that has a position.
 */

const { MemberMetadata, MemberAssignment } = AssignerProtocol

const hash32 = (text: string): number => createHash('md5').update(text).digest().readUInt32BE(0)

/** Even within each topic; each topic is shifted by its hash, so that the first partitions of all topics do not meet in lane 0. */
export const laneOf = ({ topic, partition }: TopicPartition, lanes: number): number =>
  ((hash32(topic) % lanes) + partition) % lanes

/** Lanes of a member's assignment, each with its partitions in the order of rows in a batch: topic, then number. */
export function lanesOf(
  assignment: Readonly<Record<string, readonly number[]>>,
  lanes: number,
): ReadonlyMap<number, readonly TopicPartition[]> {
  const byLane = new Map<number, TopicPartition[]>()
  for (const topic of Object.keys(assignment).sort()) {
    for (const partition of [...assignment[topic]].sort((a, b) => a - b)) {
      const lane = laneOf({ topic, partition }, lanes)
      const list = byLane.get(lane)
      if (list) list.push({ topic, partition })
      else byLane.set(lane, [{ topic, partition }])
    }
  }
  return new Map([...byLane].sort(([a], [b]) => a - b))
}

export interface Member {
  readonly id: string
  /** Lanes it owns now. */
  readonly had: readonly number[]
}

/**
 * Lanes of each member: counts differ by one at most, and within that everyone keeps what they had. More members than lanes
 * leaves some without.
 */
export function assignLanes(members: readonly Member[], lanes: number): ReadonlyMap<string, readonly number[]> {
  const low = Math.floor(lanes / members.length)
  let extra = lanes % members.length
  const free = new Set(Array.from({ length: lanes }, (_, lane) => lane))
  const owners = [...members].sort((a, b) => (a.id < b.id ? -1 : 1)).map(m => ({ ...m, lanes: [] as number[] }))
  // whoever has most keeps the places for one more, which moves the fewest lanes
  for (const owner of [...owners].sort((a, b) => b.had.length - a.had.length)) {
    for (const lane of owner.had) {
      const full = owner.lanes.length >= low
      if (!free.has(lane) || owner.lanes.length > low || (full && extra === 0)) continue
      if (full) extra--
      free.delete(lane)
      owner.lanes.push(lane)
    }
  }
  for (const lane of free) owners.reduce((least, o) => (o.lanes.length < least.lanes.length ? o : least)).lanes.push(lane)
  return new Map(owners.map(o => [o.id, o.lanes]))
}

/**
 * Name of the rule in the group's protocol. It carries L and the topics, so that the broker itself refuses a member with others
 * (INCONSISTENT_GROUP_PROTOCOL): under two rules at once a partition could have two owners.
 */
export function assignerName(topics: readonly string[], lanes: number): string {
  const of = createHash('md5')
    .update([...topics].sort().join('\n'))
    .digest('hex')
    .slice(0, 8)
  return `olap-connect-lanes-1-${lanes}-${of}`
}

export interface LaneAssignerOptions {
  readonly topics: readonly string[]
  readonly lanes: number
  /** Lanes owned now; asked at every join. */
  readonly owned: () => readonly number[]
}

/** The partition assigner for kafkajs. `protocol` runs in every member at each join, `assign` only in the leader. */
export function laneAssigner({ topics, lanes, owned }: LaneAssignerOptions): PartitionAssigner {
  const name = assignerName(topics, lanes)
  return context => {
    const cluster = clusterOf(context)
    return {
      name,
      version: 0,
      protocol: subscription => ({
        name,
        metadata: MemberMetadata.encode({
          version: 0,
          topics: [...subscription.topics].sort(),
          userData: Buffer.from(JSON.stringify({ lanes: owned() })),
        }),
      }),
      async assign({ members, topics: subscribed }) {
        const owners = assignLanes(
          members.map(m => ({ id: m.memberId, had: lanesHad(m.memberMetadata) })),
          lanes,
        )
        const ownerOf = new Map([...owners].flatMap(([id, list]) => list.map(lane => [lane, id] as const)))
        const assignments = new Map(members.map(m => [m.memberId, {} as Record<string, number[]>]))
        for (const topic of subscribed) {
          for (const { partitionId: partition } of cluster.findTopicPartitionMetadata(topic)) {
            const owner = assignments.get(ownerOf.get(laneOf({ topic, partition }, lanes)) ?? '')
            if (!owner) throw new ConnectError('R001_INTERNAL', `nobody owns the lane of ${topic}/${partition}`)
            owner[topic] = [...(owner[topic] ?? []), partition]
          }
        }
        return [...assignments].map(([memberId, assignment]) => ({
          memberId,
          memberAssignment: MemberAssignment.encode({ version: 0, assignment, userData: Buffer.alloc(0) }),
        }))
      },
    }
  }
}

/** What a member said it owns; nothing if it said something else, which only costs stickiness. */
function lanesHad(metadata: Buffer): readonly number[] {
  try {
    const userData: unknown = JSON.parse(String(MemberMetadata.decode(metadata)?.userData))
    if (typeof userData !== 'object' || userData === null || !('lanes' in userData) || !Array.isArray(userData.lanes)) return []
    return userData.lanes.filter(l => Number.isInteger(l))
  } catch {
    return []
  }
}
