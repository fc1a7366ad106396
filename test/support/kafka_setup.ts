import { setTimeout as delay } from 'node:timers/promises'
import { otherClient } from './kafka'
import { type RealKafka, startRealKafka } from './real_kafka'

/** Records of long ago go at once and not once in some runs: by default a broker looks for them every five minutes. */
const RETENTION = { 'log.retention.check.interval.ms': '2000', 'log.initial.task.delay.ms': '2000' }

/** Apache Kafka for a whole run of jest; every test that asks `services.ts` for a broker gets this one. */
export default async function setUp(): Promise<void> {
  const kafka = await startRealKafka({ listeners: [{ name: 'PLAIN', protocol: 'PLAINTEXT' }], settings: RETENTION })
  process.env.KAFKA_BROKERS_UNDER_TEST = kafka.addresses.PLAIN
  ;(globalThis as { apacheKafka?: RealKafka }).apacheKafka = kafka
  try {
    await coordinatorsReady(kafka.addresses.PLAIN)
  } catch (error) {
    // jest runs no teardown after a set-up that failed
    await kafka.stop()
    throw error
  }
}

/** The first question after a group makes the topic of positions, whose partitions then load; names in a row reach all of them. */
async function coordinatorsReady(address: string): Promise<void> {
  const admin = otherClient(address).admin()
  await admin.connect()
  try {
    for (let i = 0; i < 8; i++) {
      const deadline = Date.now() + 30_000
      while (!(await admin.fetchOffsets({ groupId: `ready-${i}`, topics: [] }).catch(() => null))) {
        if (Date.now() > deadline) throw new Error('no coordinator of groups within 30 s')
        await delay(100)
      }
    }
  } finally {
    await admin.disconnect()
  }
}
