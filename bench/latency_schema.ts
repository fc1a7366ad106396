import { registerSchema } from './registry'

/** What the producer of the latency bench writes. */
const SCHEMA = {
  type: 'record',
  name: 'Reading',
  namespace: 'bench',
  fields: [
    { name: 'device', type: 'string' },
    { name: 'ts', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'cpu', type: 'double' },
  ],
} as const

/** Registers it for the values of a topic. */
export async function registerReadings(
  registry: string,
  topic: string,
): Promise<{ readonly id: number; readonly schema: object }> {
  return { id: await registerSchema(registry, topic, SCHEMA), schema: SCHEMA }
}
