import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ConnectError } from '../runtime/errors'
import type { Schema } from '../runtime/schema'
import type { Io } from './io'
import { builtInRegistry } from './registry'
import { contextsOf } from './session'

/** The columns of files as a `file` source finds them in their first records; null: no file matches. */
export async function sampleFiles(pattern: string, io: Io): Promise<Schema | null> {
  const declaration = builtInRegistry().get('source', 'file')
  // positions are kept where a source is opened
  const folder = mkdtempSync(path.join(tmpdir(), 'connect-init-'))
  const context = contextsOf({ name: 'init', connections: {}, baseDir: io.cwd }, folder)
  const source = declaration.create(declaration.config.parse({ path: pattern }), context('', 'init'))
  try {
    return await source.open(new AbortController().signal)
  } catch (error) {
    if (error instanceof ConnectError && error.code === 'C012_UNREADABLE_FILE') return null
    throw error
  } finally {
    await source.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
