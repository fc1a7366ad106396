import path from 'node:path'
import { ConnectError } from '../../runtime/errors'
import type { Field, Schema } from '../../runtime/schema'
import { parseType } from '../../runtime/type_text'
import { hasTextForm } from './cells'
import { type CsvFields, csvEnd, CsvFields as Fields } from './csv'
import type { FoundFile } from './discover'
import type { FileOptions } from './options'
import { blocksOf, lineEnd, type Page, pagesOf, type RecordEnd } from './pages'

/** How one file is cut and what its columns are. */
export interface FileShape {
  readonly file: FoundFile
  readonly format: 'csv' | 'ndjson'
  readonly delimiter: number
  readonly quote: number
  /** Names of the CSV columns in their order; empty for NDJSON. */
  readonly header: readonly string[]
}

export function formatOf(file: string, options: FileOptions): 'csv' | 'ndjson' {
  if (options.format) return options.format
  const plain = file.replace(/\.gz$/i, '').toLowerCase()
  if (/\.(csv|tsv)$/.test(plain)) return 'csv'
  if (/\.(ndjson|jsonl|json)$/.test(plain)) return 'ndjson'
  throw new ConnectError('C005_INVALID_VALUE', `the name of ${file} does not say what it holds`, {
    hint: 'set format: csv or format: ndjson',
  })
}

export const endOf = (shape: Pick<FileShape, 'format' | 'delimiter' | 'quote'>): RecordEnd =>
  shape.format === 'csv' ? csvEnd(shape.delimiter, shape.quote) : lineEnd()

export const fieldsOf = (shape: FileShape): CsvFields => new Fields(shape.delimiter, shape.quote)

/** Reads the header line of a CSV file. Throws C016_SCHEMA where it is none. */
export async function shapeOf(file: FoundFile, options: FileOptions): Promise<FileShape> {
  const format = formatOf(file.path, options)
  // a .tsv that nobody set a delimiter for is what its name says
  const tabs = /\.tsv(\.gz)?$/i.test(file.path) && options.csv.delimiter === ','
  const cut = { format, delimiter: tabs ? 9 : options.csv.delimiter.charCodeAt(0), quote: options.csv.quote.charCodeAt(0) }
  if (format === 'ndjson') return { file, ...cut, header: [] }
  if (!options.csv.header) return { file, ...cut, header: Object.keys(options.schema ?? {}) }
  const page = await firstPage(file, cut, options)
  if (!page) return { file, ...cut, header: [] }
  const fields = new Fields(cut.delimiter, cut.quote)
  const header = fields.split(page.buffer, page.start[0], page.end[0])
    ? Array.from({ length: fields.count }, (_, i) => fields.text(i).trim())
    : []
  const wrong = header.length === 0 ? 'is not CSV' : header.includes('') ? 'has an empty name' : duplicate(header)
  if (wrong)
    throw new ConnectError('C016_SCHEMA', `${file.path}: the header line ${wrong}`, {
      hint: 'correct it, or set csv: {header: false} and schema',
    })
  return { file, ...cut, header }
}

const duplicate = (names: readonly string[]): string | null => {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  return twice === undefined ? null : `names "${twice}" twice`
}

/** First records of a file, or null if it has none. */
async function firstPage(
  file: FoundFile,
  cut: Pick<FileShape, 'format' | 'delimiter' | 'quote'>,
  options: FileOptions,
): Promise<Page | null> {
  const blocks = blocksOf({ path: file.path, from: 0, to: file.size }, 65_536)
  for await (const page of pagesOf(blocks, { end: endOf(cut), maxRecord: options.max_record, firstLine: 1 })) return page
  return null
}

/** Fields of the declared schema. Throws C016_SCHEMA for types that this format has no form for. */
export function declaredFields(schema: Readonly<Record<string, string>>): readonly Field[] {
  return Object.entries(schema).map(([name, text]) => {
    const parsed = parseType(text)
    if (!parsed) throw new ConnectError('C016_SCHEMA', `column ${name}: "${text}" is not a type`)
    if (!hasTextForm(parsed.type)) {
      throw new ConnectError('C016_SCHEMA', `column ${name}: a file of text cannot hold ${text}`, {
        hint: 'use utf8, or json for lists and objects',
      })
    }
    return { name, ...parsed }
  })
}

/** The schema of the source: the columns of the files and those that `columns:` adds. */
export function withAdded(fields: readonly Field[], options: FileOptions): Schema {
  const added = Object.entries(options.columns).map(
    ([name, what]): Field => ({ name, type: { kind: what === 'line_number' ? 'i64' : 'utf8' }, nullable: false }),
  )
  for (const { name } of added) {
    if (fields.some(f => f.name === name))
      throw new ConnectError('C016_SCHEMA', `the files already have a column "${name}"`, {
        hint: 'choose another name under columns:',
      })
  }
  return { fields: [...fields, ...added] }
}

/** Refuses a CSV file whose columns and the schema do not go together. */
export function checkHeader(shape: FileShape, fields: readonly Field[], options: FileOptions): void {
  if (shape.format !== 'csv' || shape.header.length === 0) return
  const unknown = shape.header.find(name => !fields.some(f => f.name === name))
  if (unknown !== undefined && options.unknown_fields === 'reject') {
    throw new ConnectError('C015_UNKNOWN_COLUMN', `${shape.file.path} has a column "${unknown}" that the schema has not`, {
      hint: 'add it to schema:, or set unknown_fields: ignore',
    })
  }
  const missing = fields.find(f => !f.nullable && !shape.header.includes(f.name))
  if (missing) {
    throw new ConnectError('C015_UNKNOWN_COLUMN', `${shape.file.path} has no column "${missing.name}"`, {
      hint: `correct the name, or allow null with a trailing ? in schema:`,
    })
  }
}

/** Values of the added columns for a file. */
export const fileNames = (file: FoundFile): Readonly<Record<'file_name' | 'file_stem' | 'file_path', string>> => {
  const name = path.basename(file.path)
  return { file_name: name, file_stem: name.replace(/\.gz$/i, '').replace(/(?<=.)\.[^.]*$/, ''), file_path: file.path }
}
