import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type ServiceName, startServices } from '../cli/services'

export interface BenchServices {
  /** A folder for whatever the bench writes. */
  readonly dir: string
  address(name: ServiceName): string
  pid(name: ServiceName): number
}

/** Runs a bench beside embedded services of its own, on free ports; they and their folder are gone afterwards. */
export async function withServices(
  names: readonly ServiceName[],
  work: (services: BenchServices) => Promise<void>,
): Promise<void> {
  const dir = mkdtempSync(path.join(tmpdir(), 'connect-bench-'))
  const found = <T>(of: Readonly<Partial<Record<ServiceName, T>>>, name: ServiceName): T => {
    const value = of[name]
    if (value === undefined) throw new Error(`no ${name}`)
    return value
  }
  try {
    const ports = Object.fromEntries(names.map(name => [name, 0]))
    const services = await startServices({ data: dir, need: new Set(names), ports })
    try {
      await work({ dir, address: name => found(services.addresses, name), pid: name => found(services.pids, name) })
    } finally {
      await services.stop()
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
