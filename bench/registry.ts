/** Registers an Avro schema for the values of a topic; gives its id. Imports nothing of the product. */
export async function registerSchema(registry: string, topic: string, schema: object): Promise<number> {
  const response = await fetch(`${registry}/subjects/${topic}-value/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: JSON.stringify(schema) }),
  })
  if (!response.ok) throw new Error(`registry: ${response.status} ${await response.text()}`)
  return ((await response.json()) as { id: number }).id
}
