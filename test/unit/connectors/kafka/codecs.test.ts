import { CODEC_NUMBER, type CodecName, canCompress, compress, decompress, loadCodecs } from '../../../../connectors/kafka/codecs'

/** What is compressed comes from others: it must not take more memory than a batch may, whatever it claims. */

const MIB = 1024 * 1024

beforeAll(loadCodecs)

const written = (['gzip', 'snappy', 'lz4', 'zstd'] as const).filter(canCompress)

test.each(written)('%s: within the bound it is what went in, beyond it D011', codec => {
  const zeros = Buffer.alloc(4 * MIB)
  const bytes = compress(codec, zeros)
  expect(decompress(CODEC_NUMBER[codec], bytes, 4 * MIB).equals(zeros)).toBe(true)
  expect(() => decompress(CODEC_NUMBER[codec], bytes, 3 * MIB)).toThrow(
    expect.objectContaining({
      code: 'D011_TOO_LARGE',
      message: `a batch of ${bytes.length} compressed bytes holds more than ${3 * MIB}`,
    }),
  )
})

/** A frame without a size of its content (RFC 8878): a window of 128 KiB, blocks that say "so many zeros". */
const zstdZeros = (blocks: number): Buffer => {
  const frame = Buffer.alloc(6 + 4 * blocks)
  frame.writeUInt32LE(0xfd2fb528, 0)
  frame.writeUInt8(7 << 3, 5)
  for (let i = 0; i < blocks; i++) frame.writeUIntLE((131_072 << 3) | (1 << 1) | (i === blocks - 1 ? 1 : 0), 6 + 4 * i, 3)
  return frame
}

test('zstd: four bytes for 128 KiB', () => {
  expect(decompress(CODEC_NUMBER.zstd, zstdZeros(8)).equals(Buffer.alloc(MIB))).toBe(true)
  expect(() => decompress(CODEC_NUMBER.zstd, zstdZeros(2_000))).toThrow(expect.objectContaining({ code: 'D011_TOO_LARGE' }))
})

test.each<[CodecName, Buffer]>([
  // one block that claims 4 GiB less one byte
  ['snappy', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0])],
])('%s: a claim is refused before memory is taken for it', (codec, bytes) => {
  expect(() => decompress(CODEC_NUMBER[codec], bytes)).toThrow(expect.objectContaining({ code: 'D011_TOO_LARGE' }))
})

test.each<[CodecName, Buffer]>([
  ['gzip', Buffer.from('not gzip')],
  ['snappy', Buffer.from([0xff, 0xff])],
  ['lz4', Buffer.from('not an lz4 frame')],
  ['lz4', Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0])],
  ['zstd', Buffer.from('not a zstd frame')],
  ['zstd', zstdZeros(3).subarray(0, -5)],
  // a compressed block of nonsense: the header says nothing of the size, and a decoder that only waits for more would not end
  ['zstd', Buffer.concat([zstdZeros(0), Buffer.from([(20 << 3) | (2 << 1) | 1, 0, 0]), Buffer.alloc(20, 0xaa)])],
])('%s: damaged bytes end in an error', (codec, bytes) => {
  expect(() => decompress(CODEC_NUMBER[codec], bytes)).toThrow()
})
