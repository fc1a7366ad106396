import type { KafkaConnection } from '../connectors/kafka/connection'
import type { RawRecord } from '../runtime/batch'
import { systemClock } from '../runtime/clock'
import { recordsStage } from '../runtime/decode'
import type { ConnectError } from '../runtime/errors'
import { silent } from '../runtime/events'
import type { FormatSpec, RawSourceOptions } from '../runtime/fields'
import { LaneBuffer } from '../runtime/lane_buffer'
import { HEAP } from '../runtime/memory'
import type { Format, LaneReader } from '../runtime/plugin'
import { needsKey } from '../runtime/record_columns'
import { rowJson } from '../runtime/row_json'
import type { Schema } from '../runtime/schema'
import type { PipelineSpec } from '../runtime/spec'
import { takeBatch } from '../runtime/take'
import { missingTopic } from './missing_topic'
import type { OpenPipeline } from './session'

export interface TopicReading {
  /** Kafka connection of the pipeline. */
  readonly connection: string
  readonly topic: string
  /** Where to begin; a number: so many offsets before the end of each partition. */
  readonly from: 'beginning' | 'end' | number
  /** Format of the values; null: the one a flow gives the topic, else text. */
  readonly value: FormatSpec | null
  /** Ends at what was the end of the topic at the start. */
  readonly bounded: boolean
  /** Called once, when what was there at the start has been read. */
  readonly caughtUp?: () => void
  /** Told the columns of the values before the first record. */
  readonly schema?: (schema: Schema) => void
}

/**
 * Calls `print` with each record as JSON until it answers false, the signal aborts, or the end of a bounded reading. Joins a group
 * of its own and commits nothing.
 */
export async function followTopic(
  open: Pick<OpenPipeline, 'pipeline' | 'registry' | 'context' | 'signal'>,
  reading: TopicReading,
  print: (row: string) => Promise<boolean>,
): Promise<void> {
  const { pipeline, registry, context } = open
  const { connection, topic } = reading
  const declared = formatOf(pipeline, topic)
  const config = registry.get('source', 'kafka').config.parse({
    topics: [topic],
    value: 'bytes',
    start: reading.from === 'end' ? 'latest' : 'earliest',
    group: `olap-connect.tail.${crypto.randomUUID()}`,
  }) as object
  const value: FormatSpec = reading.value ?? declared ?? { format: 'string', config: {} }
  const raw: RawSourceOptions = {
    value,
    key: { format: 'string', config: {} },
    columns: { _key: 'key?', _partition: 'partition', _offset: 'offset', _time: 'timestamp?' },
    on_tombstone: 'skip',
  }
  const endpoint =
    registry
      .get('connection', pipeline.connections[connection].type)
      .registry?.(pipeline.connections[connection].config as never) ?? null
  const make = (spec: FormatSpec, part: 'key' | 'value'): Format =>
    registry.get('format', spec.format).create(registry.get('format', spec.format).config.parse(spec.config), {
      registry: endpoint,
      baseDir: pipeline.baseDir,
      events: silent,
      topics: [topic],
      part,
    })
  const formats = { value: make(value, 'value'), key: make(raw.key, 'key') }
  const sourceContext = context(connection, 'tail')
  const source = registry.get('source', 'kafka').create({ ...config, ...raw }, sourceContext)
  try {
    await source.open(open.signal).catch(async (error: unknown) => {
      const client = { ...sourceContext, connection: sourceContext.connection as KafkaConnection }
      throw await missingTopic(error, topic, client, open.signal)
    })
    const session = await source.session(open.signal)
    let behind = session.lanes.length
    const laneCaughtUp = (): void => {
      if (--behind === 0) reading.caughtUp?.()
    }
    const lanes = session.lanes.map(lane =>
      readLane(lane, formats, raw, { ...reading, caughtUp: laneCaughtUp }, open.signal, print),
    )
    await Promise.all(lanes)
  } catch (error) {
    if (!open.signal.aborted) throw error
  } finally {
    await Promise.allSettled([source.close(), formats.value.close(), formats.key.close()])
  }
}

async function readLane(
  lane: LaneReader,
  formats: { readonly value: Format; readonly key: Format },
  raw: RawSourceOptions,
  reading: TopicReading,
  signal: AbortSignal,
  print: (row: string) => Promise<boolean>,
): Promise<void> {
  const first = await lane.startOffsets(lane.partitions, signal)
  const ends = await lane.ends(signal)
  const { from } = reading
  const next =
    typeof from === 'number' ? new Map([...first].map(([key, at]) => [key, Math.max(at, (ends.get(key) ?? at) - from)])) : first
  lane.begin(next)
  const buffer = new LaneBuffer(lane.partitions, next, systemClock)
  let reached = false
  let stage: ReturnType<typeof recordsStage> | null = null
  for (;;) {
    if (!reached && buffer.rows === 0 && [...ends].every(([key, end]) => (buffer.reads().get(key) ?? 0) >= end)) {
      reached = true
      reading.caughtUp?.()
    }
    if (reached && reading.bounded) return
    if (buffer.rows === 0) for (const chunk of (await lane.poll(signal)) ?? []) buffer.add(chunk)
    const cut = buffer.cut(1000)
    const block = cut.blocks[0]
    if (block?.kind !== 'records') {
      for (const damaged of cut.damaged) if (!(await print(rejectedJson(damaged.raw, damaged.error)))) return
      continue
    }
    if (!stage) {
      const valueSchema = (await formats.value.open(signal)) ?? (await formats.value.infer(block, 'value', signal))
      reading.schema?.(valueSchema)
      const keySchema = needsKey(raw)
        ? ((await formats.key.open(signal)) ?? (await formats.key.infer(block, 'key', signal)))
        : null
      stage = recordsStage({ value: formats.value, valueSchema, key: formats.key, keySchema }, raw, reading.connection, 'tail')
    }
    const { batch } = await stage.decode(cut, lane.lane, HEAP, signal)
    for (const { record, error } of batch.rejected) if (!(await print(rejectedJson(record, error)))) return
    const dense = takeBatch(batch)
    for (let row = 0; row < dense.length; row++) if (!(await print(rowJson(dense.schema, dense.columns, row)))) return
  }
}

const rejectedJson = ({ partition, offset, value }: RawRecord, error: ConnectError): string =>
  JSON.stringify({
    _partition: partition,
    _offset: offset,
    _error: `${error.code}: ${error.message}`,
    _value: value?.subarray(0, 256).toString('base64') ?? null,
  })

/** The format with which a flow of the file reads or writes the topic; null if none does. */
function formatOf(pipeline: PipelineSpec, topic: string): FormatSpec | null {
  for (const { source, sink } of pipeline.flows) {
    const from = source.config as { topics?: readonly string[]; value?: FormatSpec }
    if (from.topics?.includes(topic) && from.value) return from.value
    const to = sink.config as { topic?: { name?: string } | string; value?: FormatSpec }
    const name = typeof to.topic === 'object' ? to.topic.name : to.topic
    if (name === topic && to.value) return { format: to.value.format, config: {} }
  }
  return null
}
