/**
 * The most that compressed bytes can become, in bytes, read from their own framing without decompressing anything: for decoders
 * that cannot be told where to stop. Each throws where the framing is not that of its codec.
 */

/** Length in front of a raw snappy block (https://github.com/google/snappy/blob/main/format_description.txt), exact. */
export function snappySize(block: Buffer): number {
  let size = 0
  for (let i = 0; i < 5 && i < block.length; i++) {
    size += (block[i] & 0x7f) * 2 ** (7 * i)
    if (block[i] < 0x80) return size
  }
  throw new Error('a snappy block has no length')
}

/** A frame that decoders skip, of LZ4 and zstd alike: sixteen magic numbers, then its length. */
const isSkippable = (magic: number): boolean => magic >>> 4 === 0x184d2a5

const LZ4_MAGIC = 0x184d2204
/** No byte of a compressed block stands for more: a match grows by 255 with each further byte of its length. */
const LZ4_RATIO = 255

/** Of LZ4 frames, by the largest size of their blocks (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md). */
export function lz4Size(bytes: Buffer): number {
  let size = 0
  for (let p = 0; p < bytes.length; ) {
    const magic = bytes.readUInt32LE(p)
    if (isSkippable(magic)) {
      p += 8 + bytes.readUInt32LE(p + 4)
      continue
    }
    if (magic !== LZ4_MAGIC) throw new Error('this is no LZ4 frame')
    const flags = bytes.readUInt8(p + 4)
    const largest = 2 ** (8 + 2 * ((bytes.readUInt8(p + 5) >> 4) & 7))
    p += 7 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0)
    for (;;) {
      const word = bytes.readUInt32LE(p)
      p += 4
      if (word === 0) break
      const length = word & 0x7fffffff
      size += word === length ? Math.min(largest, length * LZ4_RATIO) : length
      p += length + (flags & 16 ? 4 : 0)
    }
    if (flags & 4) p += 4
  }
  return size
}

const ZSTD_MAGIC = 0xfd2fb528
/** Block_Maximum_Size, whatever the window. */
const ZSTD_BLOCK = 128 * 1024
const ZSTD_COMPRESSED = 2
const ZSTD_RLE = 1

/** Of zstd frames, by their blocks (RFC 8878, section 3.1). What the header claims is not needed. */
export function zstdSize(bytes: Buffer): number {
  let size = 0
  for (let p = 0; p < bytes.length; ) {
    const magic = bytes.readUInt32LE(p)
    if (isSkippable(magic)) {
      p += 8 + bytes.readUInt32LE(p + 4)
      continue
    }
    if (magic !== ZSTD_MAGIC) throw new Error('this is no zstd frame')
    const descriptor = bytes.readUInt8(p + 4)
    const single = (descriptor & 0x20) !== 0
    const dictionary = [0, 1, 2, 4][descriptor & 3]
    const content = [single ? 1 : 0, 2, 4, 8][descriptor >> 6]
    p += 5 + (single ? 0 : 1) + dictionary + content
    for (let last = false; !last; ) {
      const header = bytes.readUIntLE(p, 3)
      const type = (header >> 1) & 3
      const length = header >> 3
      last = (header & 1) === 1
      size += type === ZSTD_COMPRESSED ? ZSTD_BLOCK : length
      p += 3 + (type === ZSTD_RLE ? 1 : length)
    }
    if (descriptor & 4) p += 4
  }
  return size
}
