import * as zlib from 'node:zlib'
import { compressFrameSync, decompressFrameSync } from 'lz4-napi'
import { compressSync, uncompressSync } from 'snappy'
import { ConnectError } from '../../runtime/errors'

/** Compression of record batches, by the name used in YAML. Numbers: the low three bits of a batch's attributes. */
export const CODEC_NUMBER = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const

export type CodecName = keyof typeof CODEC_NUMBER

type Transform = (bytes: Buffer) => Buffer

interface ZstdOfNode {
  readonly zstdDecompressSync?: Transform
  readonly zstdCompressSync?: Transform
}
/** Node has zstd since 22.15 and 23.8; its types for 20 do not know it. */
const node: ZstdOfNode = zlib as ZstdOfNode

let wasmZstd: Transform | null = null

/** Loads what must be loaded before zstd can be read: on a Node without zstd a WebAssembly decoder. Call once before reading. */
export async function loadCodecs(): Promise<void> {
  if (node.zstdDecompressSync || wasmZstd) return
  // the streaming build: Java's producers do not write the size of the content into the frame
  const { ZSTDDecoder } = await import('zstddec/stream')
  const decoder = new ZSTDDecoder()
  await decoder.init()
  wasmZstd = bytes => asBuffer(decoder.decode(bytes))
}

/** Decompresses the records of one batch. Throws if the bytes are not what the codec says. */
export function decompress(codec: number, bytes: Buffer): Buffer {
  switch (codec) {
    case CODEC_NUMBER.gzip:
      return zlib.gunzipSync(bytes)
    case CODEC_NUMBER.snappy:
      return unsnappy(bytes)
    case CODEC_NUMBER.lz4:
      return decompressFrameSync(bytes)
    case CODEC_NUMBER.zstd: {
      const decode = node.zstdDecompressSync ?? wasmZstd
      if (!decode) throw new ConnectError('R001_INTERNAL', 'zstd was not loaded')
      return decode(bytes)
    }
    default:
      throw new ConnectError('D010_CORRUPT_BATCH', `unknown compression codec ${codec}`)
  }
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

function unsnappy(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, XERIAL.length).equals(XERIAL)) return asBuffer(uncompressSync(bytes, { asBuffer: true }))
  const blocks: Buffer[] = []
  for (let at = XERIAL_HEADER; at < bytes.length; ) {
    const length = bytes.readInt32BE(at)
    const end = at + 4 + length
    if (length < 0 || end > bytes.length) throw new Error('a snappy block runs past its batch')
    blocks.push(asBuffer(uncompressSync(bytes.subarray(at + 4, end), { asBuffer: true })))
    at = end
  }
  return blocks.length === 1 ? blocks[0] : Buffer.concat(blocks)
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
