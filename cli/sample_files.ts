import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { discover } from '../connectors/file/discover'
import { ConnectError } from '../runtime/errors'
import type { Schema } from '../runtime/schema'
import type { Io } from './io'
import { builtInRegistry } from './registry'
import { contextsOf } from './session'

export interface FilesSample {
  readonly schema: Schema
  /** Several files match, or may later: the path is a folder or a pattern. */
  readonly several: boolean
}

/** The columns of files as a `file` source finds them in their first records; null: no file matches. */
export async function sampleFiles(pattern: string, io: Io): Promise<FilesSample | null> {
  const declaration = builtInRegistry().get('source', 'file')
  // positions are kept where a source is opened
  const folder = mkdtempSync(path.join(tmpdir(), 'connect-init-'))
  const context = contextsOf({ name: 'init', connections: {}, baseDir: io.cwd }, folder)
  const source = declaration.create(declaration.config.parse({ path: pattern }), context('', 'init'))
  try {
    const schema = await source.open(new AbortController().signal)
    if (!schema) return null
    const files = await discover([pattern], io.cwd)
    return { schema, several: files.some(f => f.path !== path.resolve(io.cwd, pattern)) }
  } catch (error) {
    if (error instanceof ConnectError && error.code === 'C012_UNREADABLE_FILE') return null
    throw error
  } finally {
    await source.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
