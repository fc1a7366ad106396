import avsc from 'avsc'
import { Kafka, logLevel } from 'kafkajs'
import { ownCluster } from '../connectors/kafka/connections'
import { sendProduce } from '../connectors/kafka/produce'
import { encodeRecordBatch, type OutgoingRecord } from '../connectors/kafka/record_batch'
import { registerReadings } from './latency_schema'
import { runMain } from './run_main'

/**
 * A process of its own: `BROKERS REGISTRY TOPIC PARTITIONS RATE SECONDS DEVICES`. Every 25 ms it sends what is due, one batch a
 * partition, each device in its own partition, event times being those of the wall clock. From the tenth second on two devices
 * read far too high for a second each. Its last line is JSON: `{records, ticks: [[event time up to which every partition is
 * written, time of sending]]}`. It writes record batches itself: kafkajs's producer would take more of the machine than all else.
 */

const TICK_MS = 25
const QUIET_MS = 10_000
const PLAIN = { codec: 'none', producerId: -1n, epoch: -1, sequence: -1, transactional: false } as const

async function main(): Promise<void> {
  const [brokers, registry, topic, ...numbers] = process.argv.slice(2)
  const [partitions, rate, seconds, devices] = numbers.map(Number)
  const { id, schema } = await registerReadings(registry, topic)
  const type = avsc.Type.forSchema(schema as never)
  const cluster = ownCluster(new Kafka({ brokers: [brokers], logLevel: logLevel.ERROR }), { metadataMaxAge: 300_000 })
  await cluster.connect()
  await cluster.addMultipleTargetTopics([topic])
  const leaders = await Promise.all(
    cluster
      .findTopicPartitionMetadata(topic)
      .map(async p => ({ partition: p.partitionId, broker: await cluster.findBroker({ nodeId: p.leader }) })),
  )
  const head = Buffer.alloc(5)
  head.writeInt32BE(id, 1)
  const names = Array.from({ length: devices }, (_, i) => Buffer.from(`device-${String(i).padStart(5, '0')}`))
  const ticks: [number, number][] = []
  const sending: Promise<unknown>[] = []
  const started = Date.now()
  let records = 0
  for (let last = started; last < started + 1000 * seconds; ) {
    await new Promise(resolve => setTimeout(resolve, TICK_MS - (Date.now() % TICK_MS)))
    const now = Date.now()
    const due = Math.round(((now - started) * rate) / 1000) - records
    const batches = Array.from({ length: partitions }, (): OutgoingRecord[] => [])
    for (let i = 0; i < due; i++) {
      const n = records + i
      const device = n % devices
      // the last rounds over the partitions carry `now`, so that none is behind another
      const ts = i >= due - 2 * partitions ? now : last + Math.floor((i * (now - last)) / due)
      const value = type.toBuffer({ device: names[device].toString(), ts, cpu: reading(n, device, ts - started) })
      batches[device % partitions].push({ key: names[device], value: Buffer.concat([head, value]), timestamp: ts, headers: [] })
    }
    if (due < 2 * partitions) continue
    records += due
    last = now
    ticks.push([now, Date.now()])
    for (const { partition, broker } of leaders) {
      const set = encodeRecordBatch(batches[partition], PLAIN)
      sending.push(sendProduce(broker, { transactionalId: null, timeout: 10_000, topic, partition, set }))
    }
    while (sending.length > 50 * partitions) check(await sending.shift())
  }
  for (const answer of await Promise.all(sending)) check(answer)
  await cluster.disconnect()
  process.stdout.write(`${JSON.stringify({ records, ticks })}\n`)
}

function check(answer: unknown): void {
  const { errorCode } = answer as { errorCode: number }
  if (errorCode !== 0) throw new Error(`the broker refused a batch with error ${errorCode}`)
}

/** Noise around 40; a device whose second has come reads 90. Depends on nothing but its arguments. */
function reading(n: number, device: number, since: number): number {
  const second = Math.floor(since / 1000)
  const noise =
    ((Math.imul(n + 1, 0x9e3779b1) >>> 0) % 10_000) / 10_000 + ((Math.imul(n + 7, 0x85ebca6b) >>> 0) % 10_000) / 10_000
  const burst = since > QUIET_MS && (device === (second * 37) % 1000 || device === (second * 91 + 500) % 1000)
  return burst ? 90 + noise : 39 + noise
}

runMain(main)
