import { type RealKafka, startRealKafka } from './real_kafka'

/** Apache Kafka for a whole run of jest; every test that asks `services.ts` for a broker gets this one. */
export default async function setUp(): Promise<void> {
  const kafka = await startRealKafka({ listeners: [{ name: 'PLAIN', protocol: 'PLAINTEXT' }] })
  process.env.KAFKA_BROKERS_UNDER_TEST = kafka.addresses.PLAIN
  ;(globalThis as { apacheKafka?: RealKafka }).apacheKafka = kafka
}
