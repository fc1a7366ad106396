import { createClient } from '@clickhouse/client'
import avsc from 'avsc'
import { Kafka, logLevel } from 'kafkajs'
import { runMain } from '../run_main'
import { SCHEMA } from '../truth'

/**
 * What most teams write: kafkajs eachBatch, avsc objects, JSONEachRow through the official client, offsets committed after the
 * insert (at least once). Arguments: brokers, topic, group, ClickHouse URL, table, rows. Ends once it has seen that many rows.
 */
const [brokers, topic, groupId, url, table, expected] = process.argv.slice(2)
const FLUSH_ROWS = 50_000

async function main(): Promise<void> {
  const client = createClient({ url, compression: { request: false } })
  const consumer = new Kafka({ brokers: [brokers], logLevel: logLevel.ERROR }).consumer({
    groupId,
    maxBytesPerPartition: 4 * 1024 ** 2,
    maxWaitTimeInMs: 200,
  })
  const type = avsc.Type.forSchema(SCHEMA as never)
  let rows: unknown[] = []
  let seen = 0
  const flush = async (): Promise<void> => {
    const values = rows
    rows = []
    if (values.length > 0) await client.insert({ table, values, format: 'JSONEachRow', clickhouse_settings: { async_insert: 0 } })
  }
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const finished = new Promise<void>((resolve, reject) => {
    if (Number(expected) === 0) resolve()
    consumer
      .run({
        autoCommit: true,
        eachBatch: async ({ batch }) => {
          for (const { value } of batch.messages) if (value) rows.push(type.fromBuffer(value.subarray(5)))
          seen += batch.messages.length
          if (rows.length >= FLUSH_ROWS || seen >= Number(expected)) await flush()
          if (seen >= Number(expected)) resolve()
        },
      })
      .catch(reject)
  })
  await finished
  await flush()
  // committed and inserted; a clean leave would only add waiting to the figure
  process.exit(0)
}

runMain(main)
