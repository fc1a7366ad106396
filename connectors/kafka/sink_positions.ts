import { ConnectError } from '../../runtime/errors'
import { partitionKey } from '../../runtime/origin'
import type { Committed, Position } from '../../runtime/plugin'
import type { Cluster } from './protocol'

/**
 * Positions of a source that is no group of the sink's cluster (a file, a generator, another cluster): all positions of a lane
 * in the metadata of one committed offset, on the partition with the lane's number of the pipeline's own topic. The offset
 * itself counts the transactions. At most 4,096 bytes (offset.metadata.max.bytes).
 */
export interface LanePositions {
  readonly count: number
  readonly positions: ReadonlyMap<string, Committed>
}

const LARGEST_BYTES = 4096

export const positionsTopic = (pipeline: string): string => `__olap_connect.${pipeline}`

export function encodeLanePositions(positions: ReadonlyMap<string, Committed>): string {
  const text = JSON.stringify(Object.fromEntries([...positions].map(([key, c]) => [key, [c.offset, c.metadata]])))
  const size = Buffer.byteLength(text)
  if (size >= LARGEST_BYTES) {
    throw new ConnectError(
      'P006_POSITION_TOO_LARGE',
      `the positions of ${positions.size} partitions take ${size} bytes, ${LARGEST_BYTES} are possible`,
    )
  }
  return text
}

export function decodeLanePositions(offset: number, metadata: string | null): LanePositions {
  if (offset < 0 || metadata === null || metadata === '') return { count: Math.max(0, offset), positions: new Map() }
  let parsed: unknown
  try {
    parsed = JSON.parse(metadata)
  } catch {
    parsed = null
  }
  const foreign = (): ConnectError =>
    new ConnectError('P001_POSITION_STOP', `the stored position is not ours: ${metadata.slice(0, 80)}`, {
      hint: 'another program commits to this group; give the pipeline another name or stop that program',
    })
  if (typeof parsed !== 'object' || parsed === null) throw foreign()
  const positions = new Map<string, Committed>()
  for (const [key, pair] of Object.entries(parsed)) {
    const [at, text]: unknown[] = Array.isArray(pair) ? pair : []
    if (typeof at !== 'number' || (typeof text !== 'string' && text !== null)) throw foreign()
    positions.set(key, { offset: at, metadata: text })
  }
  return { count: offset, positions }
}

export async function fetchLanePositions(
  cluster: Cluster,
  groupId: string,
  pipeline: string,
  lane: number,
): Promise<LanePositions> {
  const topic = positionsTopic(pipeline)
  const broker = await cluster.findGroupCoordinator({ groupId })
  const { responses } = await broker.offsetFetch({ groupId, topics: [{ topic, partitions: [{ partition: lane }] }] })
  const found = responses[0]?.partitions[0]
  return decodeLanePositions(Number(found?.offset ?? -1), found?.metadata ?? null)
}

/** What is stored after a batch: everything that was, with the new positions over it. */
export function merged(old: ReadonlyMap<string, Committed>, positions: readonly Position[]): ReadonlyMap<string, Committed> {
  const next = new Map(old)
  for (const p of positions) next.set(partitionKey(p), { offset: p.offset, metadata: p.metadata })
  return next
}
