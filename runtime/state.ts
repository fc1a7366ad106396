import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { writeAtomically } from './atomic_file'

/**
 * Where the state of stateful transforms is kept: one snapshot a lane, the latest wins. Losing one costs what the transforms had
 * learnt, never a record: positions do not depend on it.
 */
export interface StateStore {
  /** Null: none was stored. */
  read(flow: string, lane: number, signal: AbortSignal): Promise<Buffer | null>
  write(flow: string, lane: number, bytes: Buffer, signal: AbortSignal): Promise<void>
}

/** Snapshots in `<dataDir>/state/<pipeline>/<flow>.<lane>`: for pipelines that have no store which several workers share. */
export function fileStates(dataDir: string, pipeline: string): StateStore {
  const fileOf = (flow: string, lane: number): string =>
    path.join(dataDir, 'state', encodeURIComponent(pipeline), `${encodeURIComponent(flow)}.${lane}`)
  return {
    async read(flow, lane) {
      try {
        return await readFile(fileOf(flow, lane))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
        throw error
      }
    },
    write: (flow, lane, bytes) => writeAtomically(fileOf(flow, lane), bytes),
  }
}

/** The states of a lane's transforms at one position. */
export interface Snapshot {
  /** Next offset of each partition: everything before it is in the states. */
  readonly positions: ReadonlyMap<string, number>
  /** One for each stateful transform, in their order. */
  readonly states: readonly Buffer[]
}

const VERSION = 1

/** `u32 length of the header | header as JSON | states one after another`. */
export function packSnapshot({ positions, states }: Snapshot): Buffer {
  const header = Buffer.from(JSON.stringify({ v: VERSION, positions: [...positions], sizes: states.map(s => s.length) }))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(header.length)
  return Buffer.concat([length, header, ...states])
}

/** Null where the bytes are none of this version's: they are then left alone and the state starts anew. */
export function unpackSnapshot(bytes: Buffer): Snapshot | null {
  try {
    const start = 4 + bytes.readUInt32LE(0)
    const header = JSON.parse(bytes.toString('utf8', 4, start)) as { v: number; positions: [string, number][]; sizes: number[] }
    if (header.v !== VERSION) return null
    let at = start
    const states = header.sizes.map(size => {
      at += size
      return bytes.subarray(at - size, at)
    })
    return at === bytes.length ? { positions: new Map(header.positions), states } : null
  } catch {
    return null
  }
}
