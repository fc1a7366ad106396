import { z } from 'zod'
import * as fields from '../../runtime/fields'

const address = () =>
  z
    .string()
    .refine(
      text => text === 'embedded' || (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)),
      'expected `embedded` or a URL such as http://host:8123',
    )
    .refine(
      text => !URL.canParse(text) || (new URL(text).username === '' && new URL(text).password === ''),
      'give username and password by their own keys: an address is shown in messages',
    )

export const connectionConfig = z.strictObject({
  url: address().describe('HTTP address of ClickHouse, or `embedded`.'),
  database: z.string().min(1).prefault('default').describe('Database of the tables; made if it is missing.'),
  username: z.string().prefault('default').describe('User name.'),
  password: fields.secret().prefault('').describe('Password.'),
  tls: z
    .strictObject({
      ca: z.string().optional().describe('File with the certificates to trust (PEM).'),
      cert: z.string().optional().describe('File with the client certificate (PEM).'),
      key: z.string().optional().describe('File with the key of the client certificate (PEM).'),
    })
    .optional()
    .describe('Certificates for an https address; paths are relative to the pipeline file.'),
  request_timeout: fields
    .duration()
    .prefault('60s')
    .describe('Longest time one request may take, also on the server.')
    .meta({ advanced: true }),
})

export type ConnectionConfig = z.output<typeof connectionConfig>

export const sinkConfig = z
  .strictObject({
    table: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]{0,199}$/, 'expected a table name: letters, digits, "_", at most 200')
      .describe('Table; made if it is missing, checked if it exists.'),
    mode: z
      .enum(['append', 'upsert'])
      .prefault('append')
      .describe('Keep every row, or the row with the highest version per order_by.'),
    version: fields.columnName().optional().describe('Column whose highest value wins; needed by mode: upsert.'),
    order_by: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe('Sorting key: columns or SQL expressions. Without it the time column, or no order.'),
    time: fields.columnName().optional().describe('Column with the event time (a timestamp or date); views inherit it.'),
    max_ahead: fields
      .duration()
      .optional()
      .describe('A row whose event time is further ahead of its record timestamp is rejected.'),
    retain: fields.duration().optional().describe('Rows whose event time is older are deleted by ClickHouse.'),
    partition_by: z
      .enum(['day', 'month', 'none'])
      .optional()
      .describe(
        'Partitions of the table by event time: by default day where retain is 31d or less, month where there is a time column.',
      ),
    flush: fields.flush().describe('When a batch is written.'),
    settings: z
      .record(z.string().regex(/^[a-z_0-9]+$/), z.union([z.string(), z.number(), z.boolean()]))
      .prefault({})
      .describe('Further MergeTree settings for a table that is made.')
      .meta({ advanced: true }),
    create: z
      .boolean()
      .prefault(true)
      .describe('Make tables that are missing; with false their statements are shown as an error.'),
    delivery: z
      .enum(['exactly_once', 'at_least_once'])
      .prefault('exactly_once')
      .describe('at_least_once also takes tables that cannot deduplicate; rows may then be doubled after an error.'),
    safe_age: fields
      .duration()
      .prefault('10m')
      .describe('A batch that was named longer ago is looked up in the table before it is sent again.')
      .meta({ advanced: true }),
  })
  .superRefine((config, context) => {
    const need = (key: string, message: string): void => context.addIssue({ code: 'custom', path: [key], message })
    if (config.mode === 'upsert') {
      if (config.version === undefined) need('version', 'mode: upsert needs a version column')
      if (config.order_by === undefined) need('order_by', 'mode: upsert needs order_by: the columns that name a row')
    } else if (config.version !== undefined) need('version', 'version is only used by mode: upsert')
    if (config.time !== undefined) return
    for (const key of ['max_ahead', 'retain'] as const) if (config[key] !== undefined) need(key, `${key} needs a time column`)
    if (config.partition_by === 'day' || config.partition_by === 'month') need('partition_by', 'partition_by needs a time column')
  })

export type SinkConfig = z.output<typeof sinkConfig>
