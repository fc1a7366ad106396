import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

export interface TemporaryFolder {
  readonly path: string
  /** Writes a file into it; gives its path. */
  file(name: string, content: string): string
}

/** A folder for the tests of one file, removed after them. */
export function temporaryFolder(): TemporaryFolder {
  const folder = mkdtempSync(path.join(tmpdir(), 'olap-connect-test-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return {
    path: folder,
    file(name, content) {
      const file = path.join(folder, name)
      writeFileSync(file, content)
      return file
    },
  }
}
