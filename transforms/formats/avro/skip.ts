import { Block } from './blocks'
import type { Kernel, Rows } from './kernel'
import { minBytes, type Node } from './schema'
import { MALFORMED, PARKED, readInt, readLength, readLong } from './varint'

/** Depth of values of recursive types; deeper ones are refused, because reading them needs as much stack. */
export const MAX_DEPTH = 200

/** Passes over a field of the writer that nobody reads. */
export class SkipKernel implements Kernel {
  readonly #skipper = new Skipper()
  constructor(readonly node: Node) {}
  read({ bytes, pos, ends }: Rows, n: number): void {
    for (let i = 0; i < n; i++) if (pos[i] < PARKED) pos[i] = this.#skipper.skip(this.node, bytes, pos[i], ends[i], 0)
  }
}

export class Skipper {
  readonly #halves = new Int32Array(2)
  readonly #min = new Map<Node, number>()

  /** Where the value at p ends, or MALFORMED. */
  skip(node: Node, bytes: Uint8Array, p: number, end: number, depth: number): number {
    if (depth > MAX_DEPTH) return MALFORMED
    switch (node.type) {
      case 'null':
        return p
      case 'boolean':
        return p < end && bytes[p] < 2 ? p + 1 : MALFORMED
      case 'int':
        return readInt(bytes, p, end, this.#halves)
      case 'long':
        return readLong(bytes, p, end, this.#halves)
      case 'float':
        return p + 4 <= end ? p + 4 : MALFORMED
      case 'double':
        return p + 8 <= end ? p + 8 : MALFORMED
      case 'fixed':
        return p + node.size <= end ? p + node.size : MALFORMED
      case 'bytes':
      case 'string': {
        const at = readLength(bytes, p, end, this.#halves)
        return at < PARKED ? at + this.#halves[0] : at
      }
      case 'enum':
      case 'union': {
        const at = readInt(bytes, p, end, this.#halves)
        if (at >= PARKED) return at
        const index = this.#halves[0]
        if (index < 0 || index >= (node.type === 'enum' ? node.symbols : node.branches).length) return MALFORMED
        return node.type === 'enum' ? at : this.skip(node.branches[index], bytes, at, end, depth + 1)
      }
      case 'record': {
        let at = p
        for (const field of node.fields) {
          at = this.skip(field.node, bytes, at, end, depth + 1)
          if (at >= PARKED) break
        }
        return at
      }
      case 'array':
        return this.#blocks(null, node.items, bytes, p, end, depth)
      case 'map':
        return this.#blocks(KEY, node.values, bytes, p, end, depth)
    }
  }

  #blocks(key: Node | null, item: Node, bytes: Uint8Array, p: number, end: number, depth: number): number {
    const min = minBytes(item, this.#min) + (key ? 1 : 0)
    const block = new Block()
    let at = p
    for (;;) {
      at = block.read(bytes, at, end, min)
      if (at >= PARKED || block.count === 0) return at
      if (block.stop >= 0) {
        at = block.stop
        continue
      }
      for (let k = block.count; k > 0 && at < PARKED; k--) {
        if (key) at = this.skip(key, bytes, at, end, depth)
        if (at < PARKED) at = this.skip(item, bytes, at, end, depth + 1)
      }
      if (at >= PARKED) return at
    }
  }
}

const KEY: Node = { type: 'string', logical: null }
