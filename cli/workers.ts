import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { isAlive, type ProcessRef, self } from '../embedded/processes'
import { writeAtomically } from '../runtime/atomic_file'

/** A worker that listens, as it stands in the data folder for commands that want to ask it. */
export interface WorkerEntry {
  readonly process: ProcessRef
  /** `http://HOST:PORT`. */
  readonly address: string
  readonly pipelines: readonly string[]
  readonly started_at: string
}

const folderOf = (dataDir: string): string => path.join(dataDir, 'workers')

/** Writes this process down; the returned function takes it out again. What a killed worker leaves is ignored by readers. */
export async function announceWorker(
  dataDir: string,
  worker: Pick<WorkerEntry, 'address' | 'pipelines'>,
): Promise<() => Promise<void>> {
  const entry: WorkerEntry = { process: self(), ...worker, started_at: new Date().toISOString() }
  const file = path.join(folderOf(dataDir), `${entry.process.pid}.json`)
  await writeAtomically(file, `${JSON.stringify(entry)}\n`)
  return () => rm(file, { force: true })
}

/** Workers that run with this data folder, the one started last first. Files of those that are gone are removed. */
export function runningWorkers(dataDir: string): readonly WorkerEntry[] {
  const folder = folderOf(dataDir)
  if (!existsSync(folder)) return []
  const found: WorkerEntry[] = []
  for (const name of readdirSync(folder).filter(n => n.endsWith('.json'))) {
    const entry = read(path.join(folder, name))
    if (entry && isAlive(entry.process)) found.push(entry)
    else if (entry) rmSync(path.join(folder, name), { force: true })
  }
  return found.sort((a, b) => b.started_at.localeCompare(a.started_at))
}

/** Null: half a file, or one that was removed meanwhile. */
function read(file: string): WorkerEntry | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as WorkerEntry
  } catch {
    return null
  }
}
