import { z } from 'zod'
import { bytes, columnName, inlineSchema } from '../../runtime/fields'
import { didYouMean } from '../../runtime/registry'
import { parseType } from '../../runtime/type_text'
import { isTimezone } from './timezone'

/** What the YAML of a `file` source may say. */

const oneByte = (what: string) =>
  z.string().refine(text => text.length === 1 && text.charCodeAt(0) < 128, `expected one ASCII character as the ${what}`)

const csv = z
  .strictObject({
    delimiter: oneByte('delimiter').prefault(','),
    quote: oneByte('quote').prefault('"'),
    header: z
      .boolean()
      .prefault(true)
      .describe('The first line names the columns; without it they are those of `schema`, in order.'),
    null_values: z.array(z.string()).prefault(['']).describe('Unquoted texts that mean null.'),
  })
  .refine(o => o.delimiter !== o.quote, 'delimiter and quote must differ')
  .prefault({})
  .describe('How CSV files are written; a .tsv file has tabs unless `delimiter` says otherwise.')

const added = z.enum(['file_name', 'file_stem', 'file_path', 'line_number'])

export const fileOptions = z
  .strictObject({
    path: z
      .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
      .transform(path => (typeof path === 'string' ? [path] : path))
      .describe('A file, a folder (its files, not those of folders in it) or a pattern with *, ? and **; or a list of these.'),
    name: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,200}$/, 'expected letters, digits, ".", "_" or "-", at most 200')
      .optional()
      .describe('Name of the set in positions and provenance. Default: the end of the path when it was first read.'),
    format: z
      .enum(['csv', 'ndjson'])
      .optional()
      .describe('Default: by the name of the file (.csv, .tsv, .ndjson, .jsonl, with or without .gz).'),
    csv,
    schema: inlineSchema().optional(),
    infer: z
      .strictObject({ rows: z.int().min(1).max(1_000_000).prefault(1000) })
      .prefault({})
      .describe('Without `schema`, types come from so many first records of each file.'),
    unknown_fields: z
      .enum(['reject', 'ignore'])
      .prefault('reject')
      .describe('Columns or fields that are not in `schema`: refuse the file (CSV) or the record (NDJSON), or leave them out.'),
    timezone: z
      .string()
      .refine(isTimezone, 'expected a time zone such as UTC or Europe/Berlin')
      .prefault('UTC')
      .describe('Zone of date-times that name none.'),
    epoch: z.enum(['s', 'ms', 'us', 'ns']).prefault('ms').describe('Unit of timestamps that are plain numbers.'),
    columns: z
      .record(columnName(), added)
      .prefault({})
      .describe('Further columns: the name of the file (with or without extension), its path, the line.'),
    merge_by: z.string().optional().describe('Column by whose value the records of all files are put into one order.'),
    unsorted: z
      .enum(['refuse', 'keep'])
      .prefault('refuse')
      .describe('A record whose `merge_by` is below the one before it in its file: stop, or keep it after that one.'),
    time: z.string().optional().describe('Timestamp column that is the event time of the record.'),
    max_record: bytes().prefault('8MiB').describe('Longer records are rejected.'),
  })
  .superRefine((o, context) => {
    const bad = (path: (string | number)[], message: string): void => context.addIssue({ code: 'custom', path, message })
    if (!o.csv.header && !o.schema) bad(['csv', 'header'], 'without a header line `schema` must name the columns')
    for (const [name, text] of Object.entries(o.schema ?? {})) {
      if (!parseType(text)) bad(['schema', name], `"${text}" is not a type`)
    }
    for (const name of Object.keys(o.columns)) {
      if (o.schema && name in o.schema) bad(['columns', name], 'the schema already has a column of this name')
    }
    for (const key of ['merge_by', 'time'] as const) {
      const name = o[key]
      if (name === undefined || !o.schema || name in o.schema) continue
      const near = didYouMean(name, Object.keys(o.schema))
      const hint = near ? `did you mean ${near}?` : `its columns are ${Object.keys(o.schema).join(', ')}`
      context.addIssue({ code: 'custom', path: [key], message: `the schema has no column "${name}"`, params: { hint } })
    }
  })

export type FileOptions = z.output<typeof fileOptions>

/** Name of a set that is new, as a topic: the option, or the last two parts of each path, so that moving the data moves no position. */
export function setName(options: Pick<FileOptions, 'name' | 'path'>): string {
  if (options.name !== undefined) return options.name
  const text = options.path.map(p => p.split('/').filter(Boolean).slice(-2).join('-')).join('-')
  const clean = text
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/-*\.(?=[A-Za-z])/g, '.')
    .replace(/^[-.]+|[-.]+$/g, '')
  return clean.slice(0, 200) || 'files'
}
