import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** A folder for the tests of one file, removed after them. */
export function temporaryFolder(): { file(name: string, content: string): string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'olap-connect-test-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return {
    file(name, content) {
      const file = path.join(folder, name)
      writeFileSync(file, content)
      return file
    },
  }
}
