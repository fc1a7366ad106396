import avsc from 'avsc'
import { CompressionTypes, Kafka, logLevel, Partitioners } from 'kafkajs'

/** The rows of the end-to-end bench and what any table of them must show. Imports nothing of the product. */

export const SCHEMA = {
  type: 'record',
  name: 'Metric',
  namespace: 'bench',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'device', type: 'string' },
    { name: 'ts', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'cpu', type: 'double' },
    { name: 'mem', type: 'double' },
    { name: 'status', type: 'int' },
    { name: 'region', type: 'string' },
    { name: 'note', type: ['null', 'string'], default: null },
  ],
} as const

export interface Truth {
  readonly rows: number
  readonly cpu: number
  readonly status: number
  readonly notes: number
}

const REGIONS = [
  'eu-west-1',
  'eu-central-1',
  'us-east-1',
  'us-west-2',
  'ap-south-1',
  'ap-east-1',
  'sa-east-1',
  'af-south-1',
  'me-south-1',
  'ca-central-1',
]
const DEVICES = 10_000
const START = 1_767_225_600_000

/** Writes `rows` records, ids 0.. in turn over the partitions, in batches of 500 records, and returns what they add up to. */
export async function produce(
  brokers: string,
  topic: string,
  partitions: number,
  rows: number,
  schemaId: number,
): Promise<Truth> {
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.ERROR })
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }] })
  await admin.disconnect()
  const type = avsc.Type.forSchema(SCHEMA as never)
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false })
  await producer.connect()
  const head = Buffer.alloc(5)
  head.writeInt32BE(schemaId, 1)
  const truth = { rows, cpu: 0, status: 0, notes: 0 }
  const perBatch = 500
  for (let id = 0; id < rows; ) {
    const messages: { partition: number; value: Buffer }[] = []
    for (let p = 0; p < partitions && id < rows; p++) {
      for (let i = 0; i < perBatch && id < rows; i++, id++) {
        const cpu = ((id * 7919) % 10_000) / 100
        const status = (id * 31) % 500
        const note = id % 5 === 0 ? `note ${id % 100}` : null
        truth.cpu += cpu
        truth.status += status
        if (note !== null) truth.notes++
        const value = {
          id,
          device: `device-${String(id % DEVICES).padStart(6, '0')}`,
          ts: START + Math.floor(id / 100),
          cpu,
          mem: cpu / 2,
          status,
          region: REGIONS[id % 10],
          note,
        }
        messages.push({ partition: p, value: Buffer.concat([head, type.toBuffer(value)]) })
      }
    }
    await producer.send({ topic, messages, compression: CompressionTypes.None, acks: -1 })
  }
  await producer.disconnect()
  return truth
}
