import { z } from 'zod'
import { bytes, duration, topicName } from '../runtime/fields'
import { viewSchema } from './views'

/** The pipeline file without its plugins: what `load.ts` checks first and what the JSON Schema is built around. */

const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]*$/
const word = (what: string) => z.string().regex(NAME, `expected ${what}: letters, digits, "_", "-"`)

/** Connections and plugins are checked by their own declarations afterwards. */
const pluginBlock = (expected: string) => z.looseObject({ type: z.string() }).meta({ expected })

const onError = z
  .union([
    z.literal('stop'),
    z
      .strictObject({
        dead_letter: z
          .union([
            topicName().meta({ expected: 'a topic name' }),
            z
              .strictObject({
                topic: topicName().describe('Topic for the rejected records.'),
                connection: z
                  .string()
                  .optional()
                  .describe('Connection whose cluster has the topic; default: the one the flow reads.'),
              })
              .meta({ expected: '{topic: TOPIC, connection: NAME}' }),
            z
              .strictObject({ file: z.string().min(1).describe('File for the rejected records, one JSON object a line.') })
              .meta({ expected: '{file: PATH}' }),
          ])
          .describe('Where rejected records go: a topic, `{topic, connection}` or `{file}`.'),
      })
      .meta({ expected: '{dead_letter: TOPIC}' }),
  ])
  .prefault('stop')
  .describe('What happens to a record that cannot pass: `stop` the flow, or set the record aside. Nothing is dropped silently.')

const flow = z
  .strictObject({
    description: z.string().optional().describe('For people; the engine does not read it.'),
    source: pluginBlock('{type: NAME, ...}').describe('Where records come from.'),
    transforms: z.array(pluginBlock('{type: NAME, ...}')).prefault([]).describe('What is done to them, in this order.'),
    sink: pluginBlock('{type: NAME, ...}').describe('Where they go.'),
    on_error: onError,
    lanes: z
      .int()
      .min(1)
      .max(64)
      .prefault(4)
      .describe(
        'Parts into which the source partitions are split; each is batched, written and committed by itself. All workers of a flow must agree.',
      ),
  })
  .meta({ expected: 'a mapping with source, transforms and sink' })

const connection = z
  .looseObject({ type: z.string().optional() })
  .meta({ expected: 'a mapping with the settings of a connection' })

/** Parts of the language that are known but that this version does not run. Empty ones are let through. */
export const NOT_AVAILABLE = ['models', 'tests'] as const

export const pipelineSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]*$/, 'expected a name: small letters, digits, "_", "-"')
    .max(100)
    .describe('Name of the pipeline: part of its consumer groups, tables and topics.'),
  description: z.string().optional().describe('For people; the engine does not read it.'),
  plugins: z.array(z.string().min(1)).prefault([]).describe('Further plugins: packages, or files relative to this one.'),
  connections: z
    .record(word('a connection name'), connection)
    .prefault({})
    .describe('Services by name. `type:` is needed only where it differs from the name.'),
  home: z
    .string()
    .optional()
    .describe("The connection that keeps the pipeline's own topics; needed only where there are several clusters."),
  memory: bytes().prefault('256MiB').describe('Records that a worker may hold in memory, in bytes.'),
  shutdown_timeout: duration().prefault('30s').describe('How long a stopping pipeline may finish what it holds.'),
  flows: z
    .record(word('a flow name'), flow)
    .refine(flows => Object.keys(flows).length > 0, 'a pipeline needs at least one flow')
    .describe('Source, transforms and sink, by name.'),
  views: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, 'expected a view name: letters, digits, "_", at most 100'),
      viewSchema,
    )
    .prefault({})
    .describe('Aggregates of tables in windows of event time, by name; each becomes a table of that name.'),
  models: z.unknown().optional(),
  tests: z.unknown().optional(),
})

export type PipelineFile = z.output<typeof pipelineSchema>
export type OnErrorFile = PipelineFile['flows'][string]['on_error']
