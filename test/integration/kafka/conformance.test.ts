import { CompressionTypes } from 'kafkajs'
import { connectionConfig } from '../../../connectors/kafka/connection'
import { kafkaSink } from '../../../connectors/kafka/sink_config'
import { kafkaSource } from '../../../connectors/kafka/source_config'
import { silent } from '../../../runtime/events'
import { json } from '../../../transforms/formats/json'
import { testBroker } from '../../support/broker'
import { conforms } from '../../support/conformance'
import { contextFor, never, readToEnd, recordsOf, sourceFor, unique } from '../../support/kafka'

/** The shared suites of sources and sinks against a broker. */

const PARTITIONS = 3
const filled = unique('conformance-filled')

const broker = testBroker()
beforeAll(() => fill(filled))

/** Two partitions of some thousand records, in batches with and without compression, and one without any. */
async function fill(topic: string): Promise<void> {
  const producer = broker.kafka.producer()
  await producer.connect()
  try {
    await broker.admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS }], waitForLeaders: true })
    for (let batch = 0; batch < 24; batch++) {
      const messages = Array.from({ length: 150 }, (_, i) => ({
        partition: batch % (PARTITIONS - 1),
        key: i % 7 === 0 ? null : `k${i % 5}`,
        value: i % 11 === 0 ? null : JSON.stringify({ batch, i }),
        headers: i % 13 === 0 ? { trace: String(i) } : {},
      }))
      const compression = batch % 3 === 0 ? CompressionTypes.GZIP : CompressionTypes.None
      await producer.send({ topic, messages, compression })
    }
  } finally {
    await producer.disconnect()
  }
}

describe('source', () => {
  conforms(kafkaSource, {
    // a group of its own: no position yet
    source: () => ({
      config: {
        topics: [filled],
        group: unique('conformance'),
        value: 'json',
        session_timeout: '6s',
        fetch: { max_bytes: '16KiB', max_wait: '50ms' },
      },
      connection: connectionConfig.parse({ brokers: broker.service.address, metadata_max_age: '2s' }),
      connectionName: 'kafka',
    }),
  })
})

async function idsIn(topic: string): Promise<readonly number[]> {
  const source = sourceFor(contextFor(broker.service.address), { topics: [topic] })
  try {
    await source.open(never)
    const records = recordsOf(await readToEnd(await source.session(never)))
    return records.map(r => (JSON.parse(String(r.value)) as { id: number }).id)
  } finally {
    await source.close()
  }
}

describe('sink', () => {
  conforms(kafkaSink, {
    sink: () => {
      const topic = unique('conformance')
      return {
        // the suite's rows are of 2023, and a broker deletes by the records' own times
        config: { topic: { name: topic, config: { 'retention.ms': '-1' } }, value: 'json', transaction_timeout: '5s' },
        connection: connectionConfig.parse({ brokers: broker.service.address, metadata_max_age: '2s' }),
        connectionName: 'kafka',
        format: (_, part) =>
          json.create(json.config.parse({}), { registry: null, baseDir: '.', events: silent, topics: [topic], part }),
        ids: () => idsIn(topic),
      }
    },
  })
})
