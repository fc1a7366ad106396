/** The wire format of a schema registry: 0, the id in four bytes, the body. */
export const wire = (id: number, body: Buffer): Buffer => {
  const head = Buffer.alloc(5)
  head.writeInt32BE(id, 1)
  return Buffer.concat([head, body])
}
