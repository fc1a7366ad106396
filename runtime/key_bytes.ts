import type { Column, DictionaryColumn } from './column'
import { ConnectError } from './errors'
import { typeName } from './schema'

/**
 * Writes the key of a row as bytes: of one column its value, of several each value behind its length (4 bytes, -1 for null), so
 * that ('ab', 'c') and ('a', 'bc') differ. `data[0 .. length)` holds the last key written.
 */
export class KeyWriter {
  data: Buffer = Buffer.alloc(256)
  length = 0
  /** UTF-8 of dictionary entries, which come again and again. */
  readonly #texts = new WeakMap<string[], Buffer[]>()

  /** In a key of one column the caller has dealt with null. */
  write(columns: readonly Column[], row: number): void {
    this.length = 0
    if (columns.length === 1) {
      this.#value(columns[0], row)
      return
    }
    for (const column of columns) {
      this.#room(4)
      const at = this.length
      this.length += 4
      if (column.nulls?.[row]) this.data.writeInt32LE(-1, at)
      else {
        this.#value(column, row)
        this.data.writeInt32LE(this.length - at - 4, at)
      }
    }
  }

  #value(column: Column, row: number): void {
    switch (column.layout) {
      case 'var':
        this.#copy(column.data, column.offsets[row], column.offsets[row + 1])
        return
      case 'fixed':
        this.#copy(column.data, row * column.width, (row + 1) * column.width)
        return
      case 'dictionary': {
        const text = this.#text(column, row)
        this.#copy(text, 0, text.length)
        return
      }
      case 'bool':
        this.#room(1)
        this.data[this.length++] = column.values[row]
        return
      case 'i32':
        this.#room(4)
        this.length = this.data.writeInt32LE(column.values[row], this.length)
        return
      case 'i64':
        this.#room(8)
        this.data.writeInt32LE(column.halves[2 * row], this.length)
        this.length = this.data.writeInt32LE(column.halves[2 * row + 1], this.length + 4)
        return
      case 'f32':
      case 'f64':
        this.#room(8)
        // 0 and -0 are one key
        this.length = this.data.writeDoubleLE(column.values[row] + 0, this.length)
        return
      default:
        throw new ConnectError('C020_TYPE_MISMATCH', `a column of type ${typeName(column.type)} cannot be a key`, {
          hint: 'take a field or a text of it as the key',
        })
    }
  }

  #text(column: DictionaryColumn, row: number): Buffer {
    let texts = this.#texts.get(column.dictionary)
    if (texts === undefined) {
      texts = []
      this.#texts.set(column.dictionary, texts)
    }
    const id = column.ids[row]
    texts[id] ??= Buffer.from(column.dictionary[id])
    return texts[id]
  }

  #copy(from: Buffer, start: number, end: number): void {
    this.#room(end - start)
    from.copy(this.data, this.length, start, end)
    this.length += end - start
  }

  #room(bytes: number): void {
    if (this.length + bytes <= this.data.length) return
    const next = Buffer.alloc(this.data.length * 2 + bytes)
    this.data.copy(next, 0, 0, this.length)
    this.data = next
  }
}
