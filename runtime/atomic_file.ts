import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'

let unique = 0

/**
 * Replaces a file so that after a crash at any moment it holds either the old or the new content: a temporary file beside it,
 * fsync, rename, fsync of the folder (without the last the rename itself may be lost with the power).
 */
export async function writeAtomically(file: string, content: string | Uint8Array): Promise<void> {
  const folder = path.dirname(file)
  await mkdir(folder, { recursive: true })
  unique += 1
  const temporary = `${file}.${Date.now().toString(36)}-${unique}.tmp`
  try {
    const handle = await open(temporary, 'wx')
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  const directory = await open(folder, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** Content of a file, or null if there is none. */
export async function readIfPresent(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
