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

/** What a frame can become, and where the next one begins. */
interface Frame {
  readonly size: number
  readonly next: number
}

/** Of frames one after the other, those that are skipped left out. `read` is given where a frame begins, which has this magic number. */
function framesSize(bytes: Buffer, codec: string, magic: number, read: (at: number) => Frame): number {
  let total = 0
  for (let at = 0; at < bytes.length; ) {
    const found = bytes.readUInt32LE(at)
    if (isSkippable(found)) {
      at += 8 + bytes.readUInt32LE(at + 4)
      continue
    }
    if (found !== magic) throw new Error(`this is no ${codec} frame`)
    const { size, next } = read(at)
    total += size
    at = next
  }
  return total
}

const LZ4_MAGIC = 0x184d2204
/** No byte of a compressed block stands for more: a match grows by 255 with each further byte of its length. */
const LZ4_RATIO = 255

/** Of LZ4 frames, by the largest size of their blocks (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md). */
export const lz4Size = (bytes: Buffer): number => framesSize(bytes, 'LZ4', LZ4_MAGIC, at => lz4Frame(bytes, at))

function lz4Frame(bytes: Buffer, at: number): Frame {
  const flags = bytes.readUInt8(at + 4)
  const largest = 2 ** (8 + 2 * ((bytes.readUInt8(at + 5) >> 4) & 7))
  let size = 0
  let p = at + 7 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0)
  for (;;) {
    const word = bytes.readUInt32LE(p)
    p += 4
    if (word === 0) break
    const length = word & 0x7fffffff
    size += word === length ? Math.min(largest, length * LZ4_RATIO) : length
    p += length + (flags & 16 ? 4 : 0)
  }
  return { size, next: p + (flags & 4 ? 4 : 0) }
}

const ZSTD_MAGIC = 0xfd2fb528
/** Block_Maximum_Size, whatever the window. */
const ZSTD_BLOCK = 128 * 1024
const ZSTD_COMPRESSED = 2
const ZSTD_RLE = 1

/** Of zstd frames, by their blocks (RFC 8878, section 3.1). What the header claims is not needed. */
export const zstdSize = (bytes: Buffer): number => framesSize(bytes, 'zstd', ZSTD_MAGIC, at => zstdFrame(bytes, at))

function zstdFrame(bytes: Buffer, at: number): Frame {
  const descriptor = bytes.readUInt8(at + 4)
  const single = (descriptor & 0x20) !== 0
  const dictionary = [0, 1, 2, 4][descriptor & 3]
  const content = [single ? 1 : 0, 2, 4, 8][descriptor >> 6]
  let size = 0
  let p = at + 5 + (single ? 0 : 1) + dictionary + content
  for (let last = false; !last; ) {
    const header = bytes.readUIntLE(p, 3)
    const type = (header >> 1) & 3
    const length = header >> 3
    last = (header & 1) === 1
    size += type === ZSTD_COMPRESSED ? ZSTD_BLOCK : length
    p += 3 + (type === ZSTD_RLE ? 1 : length)
  }
  return { size, next: p + (descriptor & 4 ? 4 : 0) }
}
