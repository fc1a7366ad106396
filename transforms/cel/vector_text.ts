import type { DictionaryColumn, VarColumn } from '../../runtime/column'
import { type Frame, type MaskKernel, scratchMask } from './frame'
import type { ColumnRef, Node } from './node'

/**
 * Tests of a text column against constants, on its UTF-8 bytes: equality, prefix, suffix and containment of valid UTF-8 are the
 * same on bytes as on characters. A dictionary column is tested once per distinct value.
 */

interface TextTest {
  readonly column: ColumnRef
  readonly onBytes: (data: Buffer, start: number, end: number) => boolean
  readonly onString: (text: string) => boolean
  /** What null gives. */
  readonly onNull: 0 | 1
  readonly flip: 0 | 1
}

export function textKernel(node: Node): MaskKernel | null {
  const test = textTest(node)
  if (test === null) return null
  const [index] = test.column.path
  return scratchMask((out, frame) => {
    const column = frame.columns[index]
    if (column.layout === 'var') overBytes(out, column, test, frame)
    else if (column.layout === 'dictionary') overDictionary(out, column, test, frame)
  })
}

function textTest(node: Node): TextTest | null {
  if (node.op === 'compare' && (node.sign === '==' || node.sign === '!=')) {
    return node.right.op === 'const' ? oneOf(node.left, [node.right.value], node.sign === '!=' ? 1 : 0) : null
  }
  if (node.op === 'in') return oneOf(node.arg, node.list, 0)
  if (node.op !== 'call' || node.args.length !== 2 || node.args[1].op !== 'const') return null
  const find = FINDERS[node.name]
  const [column, { value }] = node.args
  if (!isText(column) || find === undefined || typeof value !== 'string') return null
  const part = Buffer.from(value)
  return {
    column,
    onBytes: (data, start, end) => find.bytes(data, start, end, part),
    onString: text => find.string(text, value),
    onNull: 0,
    flip: 0,
  }
}

const isText = (node: Node): node is ColumnRef =>
  node.op === 'column' &&
  node.path.length === 1 &&
  (node.column.kind === 'utf8' || node.column.kind === 'dictionary' || node.column.kind === 'json')

function oneOf(column: Node, values: readonly unknown[], flip: 0 | 1): TextTest | null {
  if (!isText(column) || !values.every(v => typeof v === 'string')) return null
  const texts = values as readonly string[]
  const parts = texts.map(v => Buffer.from(v))
  return {
    column,
    onBytes: (data, start, end) => {
      for (let k = 0; k < parts.length; k++) if (parts[k].length === end - start && bytesAt(data, start, parts[k])) return true
      return false
    },
    onString: text => texts.includes(text),
    onNull: flip,
    flip,
  }
}

interface Finder {
  readonly bytes: (data: Buffer, start: number, end: number, part: Buffer) => boolean
  readonly string: (text: string, part: string) => boolean
}

const FINDERS: Readonly<Record<string, Finder>> = {
  'string.startsWith(string)': {
    bytes: (data, start, end, part) => end - start >= part.length && bytesAt(data, start, part),
    string: (text, part) => text.startsWith(part),
  },
  'string.endsWith(string)': {
    bytes: (data, start, end, part) => end - start >= part.length && bytesAt(data, end - part.length, part),
    string: (text, part) => text.endsWith(part),
  },
  'string.contains(string)': {
    bytes: (data, start, end, part) => {
      for (let p = start; p + part.length <= end; p++) if (bytesAt(data, p, part)) return true
      return false
    },
    string: (text, part) => text.includes(part),
  },
}

/** True if `part` stands at `start`; the caller has checked that there is room. */
function bytesAt(data: Buffer, start: number, part: Buffer): boolean {
  for (let k = 0; k < part.length; k++) if (data[start + k] !== part[k]) return false
  return true
}

function overBytes(out: Uint8Array, column: VarColumn, test: TextTest, { rows, count }: Frame): void {
  const { data, offsets, nulls } = column
  const { onBytes, onNull, flip } = test
  for (let i = 0; i < count; i++) {
    const row = rows === null ? i : rows[i]
    out[i] = nulls?.[row] ? onNull : (onBytes(data, offsets[row], offsets[row + 1]) ? 1 : 0) ^ flip
  }
}

function overDictionary(out: Uint8Array, column: DictionaryColumn, test: TextTest, { rows, count }: Frame): void {
  const { ids, nulls } = column
  const verdicts = Uint8Array.from(column.dictionary, text => (test.onString(text) ? 1 : 0) ^ test.flip)
  for (let i = 0; i < count; i++) {
    const row = rows === null ? i : rows[i]
    out[i] = nulls?.[row] ? test.onNull : verdicts[ids[row]]
  }
}
