import { CompressionCodecs, CompressionTypes } from 'kafkajs'
import lz4 from 'lz4-napi'
import snappy from 'snappy'

/** Teaches kafkajs, as the other side of a test, the codecs it has not. */
export function addCodecs(): void {
  CompressionCodecs[CompressionTypes.Snappy] = () => ({
    compress: async (encoder: { buffer: Buffer }) => snappy.compress(encoder.buffer),
    decompress: async (buffer: Buffer) => snappy.uncompress(buffer),
  })
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async (encoder: { buffer: Buffer }) => lz4.compressFrame(encoder.buffer),
    decompress: async (buffer: Buffer) => lz4.decompressFrame(buffer),
  })
}
