import type { Dirent } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { ConnectError } from '../../runtime/errors'

export interface FoundFile {
  /** What it is called in the note: number of its path in the options and the place below it, the same wherever the data lies. */
  readonly id: string
  readonly path: string
  readonly size: number
}

/**
 * The files of all paths, in the order of the paths and then by name (code units, so the same on every machine). Hidden files
 * are left out unless named. Throws C012_UNREADABLE_FILE where a path leads to nothing.
 */
export async function discover(paths: readonly string[], baseDir: string): Promise<readonly FoundFile[]> {
  const found: FoundFile[] = []
  const seen = new Set<string>()
  for (const [i, text] of paths.entries()) {
    const absolute = path.resolve(baseDir, text)
    const relative = await filesOf(absolute)
    if (relative.length === 0) {
      throw new ConnectError('C012_UNREADABLE_FILE', `no file matches ${text}`, { hint: `looked at ${absolute}` })
    }
    for (const { base, name } of relative.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const file = path.join(base, name)
      if (seen.has(file)) continue
      seen.add(file)
      found.push({ id: `${i}:${name}`, path: file, size: (await stat(file)).size })
    }
  }
  return found
}

interface Place {
  readonly base: string
  readonly name: string
}

async function filesOf(absolute: string): Promise<Place[]> {
  const parts = absolute.split(path.sep)
  const firstPattern = parts.findIndex(part => /[*?]/.test(part))
  if (firstPattern >= 0) {
    const base = parts.slice(0, firstPattern).join(path.sep) || path.sep
    return matching(base, '', parts.slice(firstPattern))
  }
  const info = await stat(absolute).catch(() => null)
  if (info?.isFile()) return [{ base: path.dirname(absolute), name: path.basename(absolute) }]
  return info?.isDirectory() ? matching(absolute, '', ['*']) : []
}

async function matching(base: string, below: string, parts: readonly string[]): Promise<Place[]> {
  const [part, ...rest] = parts
  const entries = await readdir(path.join(base, below), { withFileTypes: true }).catch(() => [] as Dirent[])
  const out: Place[] = []
  // ** stands for no folder or any number of them
  if (part === '**' && rest.length > 0) out.push(...(await matching(base, below, rest)))
  const pattern = part === '**' ? null : patternOf(part)
  for (const entry of entries) {
    const name = below === '' ? entry.name : `${below}/${entry.name}`
    if (pattern ? !pattern.test(entry.name) : entry.name.startsWith('.')) continue
    const info = entry.isSymbolicLink() ? await stat(path.join(base, name)).catch(() => null) : entry
    // a link to a folder is not followed below **, because it may lead back up
    if (info?.isDirectory() && part === '**' && !entry.isSymbolicLink()) out.push(...(await matching(base, name, parts)))
    else if (info?.isDirectory() && part !== '**' && rest.length > 0) out.push(...(await matching(base, name, rest)))
    else if (info?.isFile() && rest.length === 0) out.push({ base, name })
  }
  return out
}

/** `*` and `?` within one name; a leading dot must be written. */
function patternOf(part: string): RegExp {
  const body = part
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replace(/\?/g, '.')
  return new RegExp(`^${part.startsWith('.') ? '' : '(?!\\.)'}${body}$`, 's')
}
