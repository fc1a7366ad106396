import type { RealKafka } from './real_kafka'

export default async function tearDown(): Promise<void> {
  await (globalThis as { apacheKafka?: RealKafka }).apacheKafka?.stop()
}
