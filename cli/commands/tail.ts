import type { RawRecord } from '../../runtime/batch'
import { systemClock } from '../../runtime/clock'
import { recordsStage } from '../../runtime/decode'
import { ConnectError } from '../../runtime/errors'
import { silent } from '../../runtime/events'
import type { FormatSpec, RawSourceOptions } from '../../runtime/fields'
import { LaneBuffer } from '../../runtime/lane_buffer'
import type { Format, LaneReader } from '../../runtime/plugin'
import { needsKey } from '../../runtime/record_columns'
import { rowJson } from '../../runtime/row_json'
import type { PipelineSpec } from '../../runtime/spec'
import { takeBatch } from '../../runtime/take'
import { printEnvelope } from '../envelope'
import { EXIT } from '../exit_codes'
import type { Io } from '../io'
import { type OpenPipeline, withPipeline } from '../session'

export interface TailOptions {
  readonly data: string
  readonly from: 'beginning' | 'end'
  readonly limit?: string
  readonly connection?: string
  readonly value?: string
  readonly json?: boolean
}

/**
 * `connect tail FILE TOPIC`: reads a topic with the format the pipeline gives it and prints a JSON object a record. Joins a group of
 * its own and commits nothing. Without a limit it goes on until it is stopped; with --from beginning and a limit it also ends at the end.
 */
export function tail(file: string, topic: string, options: TailOptions, io: Io): Promise<number> {
  const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : Number(options.limit)
  if (options.limit !== undefined && (!Number.isInteger(limit) || limit < 1))
    throw new ConnectError('C019_USAGE', `--limit ${options.limit}: expected a whole number above 0`)
  return withPipeline(file, options.data, io, async open => {
    const rows: string[] = []
    let count = 0
    await follow(open, topic, options, async text => {
      if (options.json) rows.push(text)
      else await io.out(`${text}\n`)
      return ++count < limit
    })
    if (options.json) {
      await printEnvelope(io, {
        command: 'tail',
        ok: true,
        summary: `${count} record(s)`,
        result: { records: rows.map(r => JSON.parse(r) as unknown) },
        error: null,
      })
    } else if (count === 0) await io.err('no records\n')
    return EXIT.ok
  })
}

/** Calls `print` with each record until it answers false, or the end of what was there at the start is reached under a limit. */
async function follow(
  open: OpenPipeline,
  topic: string,
  options: TailOptions,
  print: (row: string) => Promise<boolean>,
): Promise<void> {
  const { pipeline, registry, context } = open
  const connection = connectionOf(open, options)
  const declared = formatOf(pipeline, topic)
  const config = registry.get('source', 'kafka').config.parse({
    topics: [topic],
    value: 'bytes',
    start: options.from === 'beginning' ? 'earliest' : 'latest',
    group: `olap-connect.tail.${crypto.randomUUID()}`,
  }) as object
  const value: FormatSpec =
    options.value === undefined ? (declared ?? { format: 'string', config: {} }) : { format: options.value, config: {} }
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
  const source = registry.get('source', 'kafka').create({ ...config, ...raw }, context(connection, 'tail'))
  try {
    await source.open(open.signal)
    const session = await source.session(open.signal)
    await Promise.all(session.lanes.map(lane => readLane(lane, formats, raw, connection, options, open.signal, print)))
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
  connection: string,
  options: TailOptions,
  signal: AbortSignal,
  print: (row: string) => Promise<boolean>,
): Promise<void> {
  const next = await lane.startOffsets(lane.partitions, signal)
  const ends = options.limit !== undefined && options.from === 'beginning' ? await lane.ends(signal) : null
  const reached = (buffer: LaneBuffer): boolean =>
    ends !== null && [...ends].every(([key, end]) => (buffer.reads().get(key) ?? 0) >= end)
  lane.begin(next)
  const buffer = new LaneBuffer(lane.partitions, next, systemClock)
  let stage: ReturnType<typeof recordsStage> | null = null
  while (!reached(buffer) || buffer.rows > 0) {
    if (buffer.rows === 0) for (const chunk of (await lane.poll(signal)) ?? []) buffer.add(chunk)
    const cut = buffer.cut(1000)
    const block = cut.blocks[0]
    if (block?.kind !== 'records') {
      for (const damaged of cut.damaged) if (!(await print(rejectedJson(damaged.raw, damaged.error)))) return
      continue
    }
    if (!stage) {
      const valueSchema = (await formats.value.open(signal)) ?? (await formats.value.infer(block, 'value', signal))
      const keySchema = needsKey(raw)
        ? ((await formats.key.open(signal)) ?? (await formats.key.infer(block, 'key', signal)))
        : null
      stage = recordsStage({ value: formats.value, valueSchema, key: formats.key, keySchema }, raw, connection, 'tail')
    }
    const { batch } = await stage.decode(cut, lane.lane, signal)
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

function connectionOf({ pipeline }: OpenPipeline, options: TailOptions): string {
  const clusters = Object.values(pipeline.connections)
    .filter(c => c.type === 'kafka')
    .map(c => c.name)
  if (options.connection !== undefined && !clusters.includes(options.connection))
    throw new ConnectError('C010_UNKNOWN_REFERENCE', `there is no Kafka connection "${options.connection}"`)
  const chosen = options.connection ?? pipeline.home ?? clusters[0]
  if (chosen === undefined) throw new ConnectError('C010_UNKNOWN_REFERENCE', `${pipeline.file} has no Kafka connection`)
  return chosen
}

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
