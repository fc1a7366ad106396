import { closeSync, constants, openSync } from 'node:fs'

/** Open files kept at most; the least recently used one is closed first. Well below the usual limit of 1,024 descriptors. */
const DEFAULT_CAPACITY = 512

/** A bounded cache of open segment files, so that neither many partitions nor many segments run out of descriptors. */
export class FileHandles {
  readonly #open = new Map<string, number>()
  readonly #capacity: number

  constructor(capacity = DEFAULT_CAPACITY) {
    this.#capacity = capacity
  }

  /** The descriptor of a file, opened for reading and writing and created if missing. Valid until the next call. */
  get(path: string): number {
    const known = this.#open.get(path)
    if (known !== undefined) {
      this.#open.delete(path)
      this.#open.set(path, known)
      return known
    }
    for (const oldest of this.#open.keys()) {
      if (this.#open.size < this.#capacity) break
      this.close(oldest)
    }
    // 'r+' refuses a missing file and 'w+' would truncate an existing one; 'a' would ignore positions
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644)
    this.#open.set(path, fd)
    return fd
  }

  close(path: string): void {
    const fd = this.#open.get(path)
    if (fd === undefined) return
    this.#open.delete(path)
    closeSync(fd)
  }

  closeAll(): void {
    for (const path of [...this.#open.keys()]) this.close(path)
  }
}
