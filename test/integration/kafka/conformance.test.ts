import { connectionConfig } from '../../../connectors/kafka/connection'
import { kafkaSink } from '../../../connectors/kafka/sink_config'
import { silent } from '../../../runtime/events'
import { json } from '../../../transforms/formats/json'
import { conforms } from '../../support/conformance'
import { contextFor, never, readToEnd, recordsOf, sourceFor, unique } from '../../support/kafka'
import { type Service, startKafka } from '../../support/services'

/** The shared suite of sinks against a broker; each test has a topic of its own. */

let service: Service
beforeAll(async () => {
  service = await startKafka()
})
afterAll(() => service?.stop())

async function idsIn(topic: string): Promise<readonly number[]> {
  const source = sourceFor(contextFor(service.address), { topics: [topic] })
  try {
    await source.open(never)
    const records = recordsOf(await readToEnd(await source.session(never)))
    return records.map(r => (JSON.parse(String(r.value)) as { id: number }).id)
  } finally {
    await source.close()
  }
}

conforms(kafkaSink, {
  sink: () => {
    const topic = unique('conformance')
    return {
      // the suite's rows are of 2023, and a broker deletes by the records' own times
      config: { topic: { name: topic, config: { 'retention.ms': '-1' } }, value: 'json', transaction_timeout: '5s' },
      connection: connectionConfig.parse({ brokers: service.address, metadata_max_age: '2s' }),
      connectionName: 'kafka',
      format: (_, part) =>
        json.create(json.config.parse({}), { registry: null, baseDir: '.', events: silent, topics: [topic], part }),
      ids: () => idsIn(topic),
    }
  },
})
