/**
 * Kafka's record headers: a varint count, then for each a varint length and name, a varint length (-1: null) and value.
 * Varints are zigzag, as everywhere in a record (KIP-98, record format v2).
 */
export function parseHeaders(buffer: Buffer, start: number, end: number): (readonly [string, Buffer | null])[] {
  if (start >= end) return []
  let at = start
  const varint = (): number => {
    let value = 0
    let shift = 0
    for (;;) {
      const byte = at < end ? buffer[at++] : 0
      value |= (byte & 127) << shift
      if (byte < 128) return (value >>> 1) ^ -(value & 1)
      shift += 7
    }
  }
  const count = varint()
  const headers: (readonly [string, Buffer | null])[] = []
  for (let i = 0; i < count && at < end; i++) {
    const nameLength = Math.max(0, varint())
    const name = buffer.toString('utf8', at, Math.min(end, at + nameLength))
    at += nameLength
    const length = varint()
    headers.push([name, length < 0 ? null : buffer.subarray(at, Math.min(end, at + length))])
    if (length > 0) at += length
  }
  return headers
}
