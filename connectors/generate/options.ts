import { z } from 'zod'
import { columnName, duration } from '../../runtime/fields'

/** What the YAML of a `generate` source may say. Durations are milliseconds in code. */

const decimals = () => z.int().min(0).max(15).optional().describe('Digits after the point to which values are rounded.')
const share = () => z.number().min(0).max(1).prefault(1).describe('Share of the keys that this happens to, 0 to 1.')

const constant = z
  .strictObject({ type: z.literal('constant'), value: z.union([z.string(), z.number(), z.boolean()]) })
  .describe('The same value in every row.')

const sequence = z
  .strictObject({ type: z.literal('sequence'), start: z.int().prefault(0), step: z.int().prefault(1) })
  .describe('An integer of its own for every record: start + step * number of the record.')

const uniformField = z
  .strictObject({
    type: z.literal('uniform'),
    min: z.number().prefault(0),
    max: z.number().prefault(1),
    integer: z.boolean().prefault(false).describe('Whole numbers from min to max, both included.'),
    decimals: decimals(),
  })
  .refine(f => f.min < f.max, 'min must be below max')
  .describe('Evenly distributed in [min, max).')

const normalField = z
  .strictObject({
    type: z.literal('normal'),
    mean: z.number().prefault(0),
    sd: z.number().min(0).prefault(1).describe('Standard deviation.'),
    min: z.number().optional(),
    max: z.number().optional(),
    decimals: decimals(),
  })
  .describe('Normally distributed, cut off at min and max.')

const choice = z
  .strictObject({
    type: z.literal('choice'),
    of: z.union([z.array(z.string()).min(1), z.array(z.number()).min(1)]),
    weights: z.array(z.number().min(0)).optional().describe('One for each value of `of`; even if absent.'),
    per: z.enum(['record', 'key']).prefault('record').describe('Drawn for each record, or once for each key.'),
  })
  .refine(f => !f.weights || f.weights.length === f.of.length, 'weights needs one number for each value of `of`')
  .refine(f => !f.weights || f.weights.some(w => w > 0), 'one of the weights must be above 0')
  .describe('One of several values.')

const template = z
  .strictObject({
    type: z.literal('template'),
    text: z
      .string()
      .describe('Text with {key}, {key_number}, {record} (number of the record), {tick} (how often the key has reported).')
      .regex(/^([^{}]|\{(key|key_number|record|tick)\})*$/, 'only {key}, {key_number}, {record} and {tick} can stand in braces'),
  })
  .describe('Text made from the key and the number of the record.')

const uuid = z.strictObject({ type: z.literal('uuid') }).describe('A random UUID (version 4).')

const season = (period: string) =>
  z.strictObject({
    amplitude: z.number().describe('From the middle to the peak.'),
    period: duration().prefault(period),
    peak: duration().prefault('0s').describe('When the peak comes: time since midnight UTC (since 1970, in general).'),
    spread: duration().prefault('0s').describe('Each key peaks up to so much later.'),
  })

const series = z
  .strictObject({
    type: z.literal('series'),
    base: z.number().prefault(0).describe('Level of every key.'),
    spread: z.number().min(0).prefault(0).describe('Standard deviation of the level between keys.'),
    daily: season('24h').optional(),
    weekly: season('7d').optional(),
    trend: z.number().prefault(0).describe('Rise per day.'),
    noise: z.number().min(0).prefault(0).describe('Standard deviation of normal noise in every record.'),
    burst: z
      .strictObject({
        every: duration().describe('One burst in each stretch of this length, at a random moment.'),
        for: duration().describe('How long it lasts.'),
        add: z.number(),
        keys: share(),
      })
      .refine(b => b.for <= b.every, '`for` must not be longer than `every`')
      .optional(),
    shift: z
      .strictObject({
        at: duration().optional().describe('From this time after the start on, the level is `add` higher.'),
        every: duration().optional().describe('A new level each time: up to `add` higher or lower, evenly distributed.'),
        add: z.number(),
        keys: share(),
      })
      .refine(s => (s.at === undefined) !== (s.every === undefined), 'give either `at` or `every`')
      .optional(),
    min: z.number().optional(),
    max: z.number().optional(),
    decimals: decimals(),
  })
  .describe('A measurement over time: level, seasons, trend, noise, bursts and level shifts, cut off at min and max.')

export const fieldOptions = z.discriminatedUnion('type', [
  constant,
  sequence,
  uniformField,
  normalField,
  choice,
  template,
  uuid,
  series,
])

export type FieldOptions = z.output<typeof fieldOptions>
export type SeriesOptions = z.output<typeof series>

const timetable = {
  every: duration().describe('One begins each time this long has passed, at a key that is drawn (the next one without a fault).'),
  for: duration().describe('How long it lasts.'),
  after: duration().prefault('0s').describe('The first begins so long after the history.'),
}
const damaged = z.array(columnName()).min(1).describe('Fields it changes: `series`, `normal`, or `uniform` that is not integer.')

const fault = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('silent'), ...timetable }).describe('The key does not report.'),
    z
      .strictObject({ type: z.literal('scale'), ...timetable, fields: damaged, by: z.number() })
      .describe('Values are so many times what they would be.'),
    z
      .strictObject({ type: z.literal('garbage'), ...timetable, fields: damaged, min: z.number(), max: z.number() })
      .describe('Values are evenly distributed in [min, max), whatever they would be.'),
  ])
  .refine(f => f.for <= f.every, '`for` must not be longer than `every`')
  .refine(f => f.every > 0, '`every` must be above 0')

export type FaultOptions = z.output<typeof fault>

const RATE = /^(\d+(?:\.\d+)?)\/(s|m|h|d)$/
const RATE_UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `1000/s`, `30/m`: records per millisecond in code. */
const rate = z
  .string()
  .regex(RATE, { error: 'expected a rate such as 1000/s, 30/m or 6/h', abort: true })
  .transform((text, context) => {
    const [, count, unit] = RATE.exec(text) ?? []
    const perMs = Number(count) / RATE_UNIT_MS[unit]
    if (perMs > 0) return perMs
    context.addIssue({ code: 'custom', message: 'the rate must be above 0' })
    return z.NEVER
  })

const isFractional = (field: FieldOptions | undefined): boolean =>
  field?.type === 'series' || field?.type === 'normal' || (field?.type === 'uniform' && !field.integer)

export const generateOptions = z
  .strictObject({
    fields: z.record(columnName(), fieldOptions).describe('Columns and how their values are made.'),
    time: columnName().prefault('ts').describe('Name of the column with the event time.'),
    keys: z
      .strictObject({
        column: columnName().prefault('key'),
        count: z.int().min(1).max(10_000_000),
        prefix: z.string().prefault('key-').describe('Keys are the prefix and a number with as many digits as the largest.'),
      })
      .optional()
      .describe('Things that report in turn; without it there is one.'),
    rate: rate.optional().describe('Records per second over all keys; as fast as possible if absent.'),
    interval: duration()
      .optional()
      .describe(
        'Event time between two records of one key; all keys report at the same instants. Default: what `rate` gives, else 1s.',
      ),
    start: z.iso
      .datetime({ offset: true })
      .optional()
      .describe('Event time of the first record. Default: when the flow first ran, less `history`.'),
    history: duration()
      .optional()
      .describe('So much event time comes first, as fast as possible; then it goes on at the pace of the clock.'),
    count: z.int().min(1).optional().describe('Ends after so many records (those of silent keys counted).'),
    for: duration().optional().describe('Ends after so much event time.'),
    gaps: z
      .strictObject({
        every: duration().describe('One gap in each stretch of this length, at a random moment.'),
        for: duration().describe('How long the key is silent.'),
        keys: share(),
      })
      .refine(g => g.for <= g.every, '`for` must not be longer than `every`')
      .optional()
      .describe('Keys that fall silent: their records are left out.'),
    faults: z
      .record(z.string().regex(/^[a-z][a-z0-9_]*$/, 'expected a name: lower case letters, digits, "_"'), fault)
      .optional()
      .describe(
        'Faults by name: each strikes one key at a time, and a key has one at a time. They begin after the history, which is clean.',
      ),
    label: columnName()
      .optional()
      .describe(
        'Column that tells the fault of a row: `name-n` for the n-th of its kind, else empty. With it, records of silent keys stay, with their label; whoever plays the fault filters them and drops the column.',
      ),
    seed: z.int().prefault(1).describe('The same seed gives the same values.'),
    partitions: z.int().min(1).max(256).prefault(1).describe('Partitions over which the keys are spread.'),
  })
  .refine(o => !o.keys || o.keys.count < 1 || o.keys.count >= o.partitions, {
    message: 'partitions cannot be more than keys',
    path: ['partitions'],
  })
  .refine(o => o.interval === undefined || o.interval > 0, { message: 'the interval must be above 0', path: ['interval'] })
  .refine(o => o.count === undefined || o.for === undefined, { message: 'give either `count` or `for`', path: ['for'] })
  .superRefine((o, context) => {
    for (const [name, f] of Object.entries(o.faults ?? {}))
      for (const field of 'fields' in f ? f.fields : [])
        if (!isFractional(o.fields[field])) {
          const message = `"${field}" is no field of fractional numbers: series, normal, or uniform that is not integer`
          context.addIssue({ code: 'custom', path: ['faults', name, 'fields'], message })
        }
    if (o.label !== undefined && !o.faults)
      context.addIssue({ code: 'custom', path: ['label'], message: '`label` tells faults: give `faults`' })
    if (o.label !== undefined && (o.label in o.fields || o.label === o.time || o.label === o.keys?.column))
      context.addIssue({ code: 'custom', path: ['label'], message: 'the label needs a name that no other column has' })
  })
  .refine(o => !(o.time in o.fields) && !(o.keys && (o.keys.column in o.fields || o.keys.column === o.time)), {
    message: 'the column of the time, that of the key and the fields need different names',
    path: ['fields'],
  })

export type GenerateOptions = z.output<typeof generateOptions>
