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
export async function register(registry: string, topic: string): Promise<{ readonly id: number; readonly schema: object }> {
  const response = await fetch(`${registry}/subjects/${topic}-value/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: JSON.stringify(SCHEMA) }),
  })
  if (!response.ok) throw new Error(`registry: ${response.status} ${await response.text()}`)
  return { id: ((await response.json()) as { id: number }).id, schema: SCHEMA }
}
