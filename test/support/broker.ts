import type { Admin, Kafka } from 'kafkajs'
import { otherClient, unique } from './kafka'
import { type Service, startKafka } from './services'

interface Closeable {
  close(): Promise<void>
}

/** The broker of a test file, with a client that is not ours. */
export interface TestBroker {
  readonly service: Service
  readonly kafka: Kafka
  readonly admin: Admin
  newTopic(numPartitions?: number): Promise<string>
  /** Is closed after the test. */
  keep<T extends Closeable>(part: T): T
}

/** Starts a broker before the tests of a file, closes what each test opened after it, and stops the broker in the end. */
export function testBroker(): TestBroker {
  const open: Closeable[] = []
  let started: { readonly service: Service; readonly kafka: Kafka; readonly admin: Admin } | null = null
  const broker = () => {
    if (!started) throw new Error('the broker is there from beforeAll on')
    return started
  }

  beforeAll(async () => {
    const service = await startKafka()
    const kafka = otherClient(service.address)
    started = { service, kafka, admin: kafka.admin() }
    await started.admin.connect()
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map(part => part.close()))
  })
  afterAll(async () => {
    // a test may have killed the broker
    await started?.admin.disconnect().catch(() => {})
    await started?.service.stop()
  })

  return {
    get service() {
      return broker().service
    },
    get kafka() {
      return broker().kafka
    },
    get admin() {
      return broker().admin
    },
    async newTopic(numPartitions = 1) {
      const topic = unique('topic')
      await broker().admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true })
      return topic
    },
    keep(part) {
      open.push(part)
      return part
    },
  }
}
