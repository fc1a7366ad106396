import * as zlib from 'node:zlib'
import { compressFrameSync, decompressFrameSync } from 'lz4-napi'
import { compressSync, uncompressSync } from 'snappy'
import { ConnectError } from '../../runtime/errors'
import { lz4Size, snappySize, zstdSize } from './decompressed_size'

/** Compression of record batches, by the name used in YAML. Numbers: the low three bits of a batch's attributes. */
export const CODEC_NUMBER = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const

export type CodecName = keyof typeof CODEC_NUMBER

/**
 * Bytes that a batch may take once it is decompressed. A broker bounds a batch by its compressed size (max.message.bytes, 1 MiB by
 * default), a producer by what went in, which is seldom more; a megabyte of hostile gzip becomes a gigabyte, of hostile zstd more.
 */
export const MOST_DECOMPRESSED = 128 * 1024 * 1024

interface ZstdOfNode {
  readonly zstdDecompressSync?: (bytes: Buffer, options: { readonly maxOutputLength: number }) => Buffer
  readonly zstdCompressSync?: (bytes: Buffer) => Buffer
}
/** Node has zstd since 22.15 and 23.8; its types for 20 do not know it. */
const node: ZstdOfNode = zlib as ZstdOfNode

let wasmZstd: ((bytes: Buffer, size: number) => Buffer) | null = null

/** Loads what must be loaded before zstd can be read: on a Node without zstd a WebAssembly decoder. Call once before reading. */
export async function loadCodecs(): Promise<void> {
  if (node.zstdDecompressSync || wasmZstd) return
  const { ZSTDDecoder } = await import('zstddec')
  const decoder = new ZSTDDecoder()
  await decoder.init()
  wasmZstd = (bytes, size) => asBuffer(decoder.decode(bytes, size))
}

/**
 * Decompresses the records of one batch. Throws if the bytes are not what the codec says, and D011_TOO_LARGE, before it takes the
 * memory, if they become more than `most` bytes.
 */
export function decompress(codec: number, bytes: Buffer, most: number = MOST_DECOMPRESSED): Buffer {
  switch (codec) {
    case CODEC_NUMBER.gzip:
      return within(most, bytes, () => zlib.gunzipSync(bytes, { maxOutputLength: most }))
    case CODEC_NUMBER.snappy:
      return unsnappy(bytes, most)
    case CODEC_NUMBER.lz4:
      if (lz4Size(bytes) > most) throw tooLarge(bytes, most)
      return decompressFrameSync(bytes)
    case CODEC_NUMBER.zstd:
      return unzstd(bytes, most)
    default:
      throw new ConnectError('D010_CORRUPT_BATCH', `unknown compression codec ${codec}`)
  }
}

const tooLarge = (bytes: Buffer, most: number): ConnectError =>
  new ConnectError('D011_TOO_LARGE', `a batch of ${bytes.length} compressed bytes holds more than ${most}`, {
    hint: 'no producer makes such batches by accident; send smaller ones',
  })

/** What zlib throws at its `maxOutputLength`, as our error. */
function within(most: number, bytes: Buffer, decode: () => Buffer): Buffer {
  try {
    return decode()
  } catch (thrown) {
    throw (thrown as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge(bytes, most) : thrown
  }
}

function unzstd(bytes: Buffer, most: number): Buffer {
  const decode = node.zstdDecompressSync
  if (decode) return within(most, bytes, () => decode(bytes, { maxOutputLength: most }))
  if (!wasmZstd) throw new ConnectError('R001_INTERNAL', 'zstd was not loaded')
  // Java's producers do not write the size into the frame, and without one this decoder goes on for ever over damaged bytes
  const size = zstdSize(bytes)
  if (size > most) throw tooLarge(bytes, most)
  const decoded = wasmZstd(bytes, Math.max(1, size))
  // its way to say that they are damaged
  if (decoded.length === 0 && size > 0) throw new Error('the zstd frame is damaged')
  return decoded
}

/** Compresses the records of one batch. */
export function compress(codec: CodecName, bytes: Buffer): Buffer {
  switch (codec) {
    case 'none':
      return bytes
    case 'gzip':
      return zlib.gzipSync(bytes)
    case 'snappy':
      return snappyBlocks(bytes)
    case 'lz4':
      return compressFrameSync(bytes)
    case 'zstd': {
      if (!node.zstdCompressSync) throw new ConnectError('C005_INVALID_VALUE', 'compression: zstd needs Node 22.15 or later')
      return node.zstdCompressSync(bytes)
    }
  }
}

export const canCompress = (codec: CodecName): boolean => codec !== 'zstd' || node.zstdCompressSync !== undefined

/**
 * Java's producers write snappy as xerial blocks (https://github.com/xerial/snappy-java): this magic, a version and a least
 * version of four bytes each, then blocks of (int32 length, raw snappy). Others, librdkafka among them, write one raw block.
 */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const XERIAL_HEADER = 16
const XERIAL_BLOCK = 32 * 1024

function unsnappy(bytes: Buffer, most: number): Buffer {
  const blocks = bytes.subarray(0, XERIAL.length).equals(XERIAL) ? xerialBlocks(bytes) : [bytes]
  if (blocks.reduce((sum, block) => sum + snappySize(block), 0) > most) throw tooLarge(bytes, most)
  const decoded = blocks.map(block => asBuffer(uncompressSync(block, { asBuffer: true })))
  return decoded.length === 1 ? decoded[0] : Buffer.concat(decoded)
}

function xerialBlocks(bytes: Buffer): readonly Buffer[] {
  const blocks: Buffer[] = []
  for (let at = XERIAL_HEADER; at < bytes.length; ) {
    const length = bytes.readInt32BE(at)
    const end = at + 4 + length
    if (length < 0 || end > bytes.length) throw new Error('a snappy block runs past its batch')
    blocks.push(bytes.subarray(at + 4, end))
    at = end
  }
  return blocks
}

function snappyBlocks(bytes: Buffer): Buffer {
  const parts: Buffer[] = [XERIAL, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]
  for (let at = 0; at < bytes.length; at += XERIAL_BLOCK) {
    const block = compressSync(bytes.subarray(at, at + XERIAL_BLOCK))
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

const asBuffer = (bytes: Uint8Array | string): Buffer =>
  typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
