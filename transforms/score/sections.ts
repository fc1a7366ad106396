import { ConnectError } from '../../runtime/errors'

/** Byte strings as one: their number, then each behind its length (4 bytes, little endian). */
export function writeSections(sections: readonly Buffer[]): Buffer {
  const parts = sections.flatMap(section => [uint32(section.length), section])
  return Buffer.concat([uint32(sections.length), ...parts])
}

/** The inverse; views that must not be written to. Throws D001_MALFORMED. */
export function readSections(bytes: Buffer): readonly Buffer[] {
  const malformed = (): ConnectError => new ConnectError('D001_MALFORMED', 'not a snapshot')
  if (bytes.length < 4) throw malformed()
  const count = bytes.readUInt32LE(0)
  const sections: Buffer[] = []
  let at = 4
  for (let i = 0; i < count; i++) {
    if (at + 4 > bytes.length) throw malformed()
    const end = at + 4 + bytes.readUInt32LE(at)
    if (end > bytes.length) throw malformed()
    sections.push(bytes.subarray(at + 4, end))
    at = end
  }
  if (at !== bytes.length) throw malformed()
  return sections
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
