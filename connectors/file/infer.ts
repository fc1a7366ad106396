import type { DataType, Field } from '../../runtime/schema'
import { looksLikeFloat } from './cells'
import type { FileOptions } from './options'
import { firstRecords } from './sample'
import { type FileShape, fieldsOf } from './shape'
import { parseMoment } from './time_text'

/**
 * Types from the first records of each file, the same each time. A column is what all its sampled texts can be read as, tried in
 * this order: bool (true, false), i64, f64, date, timestamp, utf8. Digits with a leading zero are text (an article number, a
 * postal code), and a mixture is text. A column is nullable if a sample lacks it or is empty there.
 */
export async function inferFields(shapes: readonly FileShape[], options: FileOptions): Promise<readonly Field[]> {
  const columns = new Map<string, Evidence>()
  const evidence = (name: string): Evidence => {
    const found = columns.get(name) ?? new Evidence()
    columns.set(name, found)
    return found
  }
  let records = 0
  for (const shape of shapes) {
    const fields = fieldsOf(shape)
    for (const name of shape.header) evidence(name)
    for await (const { buffer, start, end } of firstRecords(shape, options)) {
      if (shape.format === 'ndjson') {
        const object = jsonObject(buffer.toString('utf8', start, end))
        if (!object) continue
        for (const [name, value] of Object.entries(object)) evidence(name).addJson(value)
      } else {
        if (!fields.split(buffer, start, end) || fields.count !== shape.header.length) continue
        for (let i = 0; i < fields.count; i++) {
          const text = fields.text(i)
          const isNull = !fields.quoted[i] && options.csv.null_values.includes(text)
          evidence(shape.header[i]).addText(isNull ? null : text)
        }
      }
      records += 1
    }
  }
  return [...columns].map(([name, e]) => ({ name, ...e.type(records) }))
}

function jsonObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

type Shape = 'bool' | 'i64' | 'f64' | 'date' | 'timestamp' | 'utf8' | 'json'

class Evidence {
  #present = 0
  #digits = 0
  /** JSON values keep their own type, so a mixture cannot be text and stays JSON. */
  #fromJson = false
  readonly #shapes = new Set<Shape>()

  addText(text: string | null): void {
    if (text === null) return
    this.#present += 1
    this.#shapes.add(this.#shapeOfText(text))
  }

  addJson(value: unknown): void {
    if (value === null || value === undefined) return
    this.#present += 1
    this.#fromJson = true
    if (typeof value === 'boolean') this.#shapes.add('bool')
    else if (typeof value === 'number') this.#shapes.add(Number.isSafeInteger(value) ? 'i64' : 'f64')
    else if (typeof value === 'object') this.#shapes.add('json')
    else this.#shapes.add(this.#dateShape(String(value)) ?? 'utf8')
  }

  type(records: number): { readonly type: DataType; readonly nullable: boolean } {
    const kind = this.#kind()
    const type: DataType =
      kind === 'timestamp' ? { kind, unit: this.#digits > 6 ? 'ns' : this.#digits > 3 ? 'us' : 'ms', zoned: true } : { kind }
    return { type, nullable: this.#present < records || records === 0 }
  }

  #kind(): Shape {
    const shapes = this.#shapes
    const only = (...allowed: readonly Shape[]): boolean => [...shapes].every(s => allowed.includes(s))
    if (shapes.size === 0) return 'utf8'
    if (shapes.size === 1) return [...shapes][0]
    if (only('i64', 'f64')) return 'f64'
    if (only('date', 'timestamp')) return 'timestamp'
    return this.#fromJson && !only('date', 'timestamp', 'utf8') ? 'json' : 'utf8'
  }

  #shapeOfText(text: string): Shape {
    if (/^(true|false)$/i.test(text)) return 'bool'
    if (/^[+-]?(0|[1-9]\d{0,17})$/.test(text)) return 'i64'
    if (looksLikeFloat(text) && !/^[+-]?0\d/.test(text)) return /^[+-]?\d+$/.test(text) ? 'utf8' : 'f64'
    return this.#dateShape(text) ?? 'utf8'
  }

  #dateShape(text: string): Shape | null {
    const moment = parseMoment(text, ms => ms)
    if (!moment) return null
    this.#digits = Math.max(this.#digits, moment.digits)
    return text.length === 10 ? 'date' : 'timestamp'
  }
}
