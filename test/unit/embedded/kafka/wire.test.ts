import * as fc from 'fast-check'
import { FrameReader } from '../../../../embedded/kafka/wire/frames'
import { MalformedRequest, Reader } from '../../../../embedded/kafka/wire/reader'
import { Writer } from '../../../../embedded/kafka/wire/writer'

const written = (write: (writer: Writer) => void, flexible = false): Buffer => {
  const writer = new Writer()
  writer.flexible = flexible
  write(writer)
  const bytes = Buffer.concat(writer.finish())
  expect(writer.length).toBe(bytes.length)
  return bytes
}

test('primitives have the bytes of the protocol guide', () => {
  expect(written(w => w.int64(-1)).toString('hex')).toBe('ffffffffffffffff')
  expect(written(w => w.int64(2 ** 40 + 5)).toString('hex')).toBe('0000010000000005')
  expect(written(w => w.string('ab')).toString('hex')).toBe('00026162')
  expect(written(w => w.string(null)).toString('hex')).toBe('ffff')
  expect(written(w => w.string('ab'), true).toString('hex')).toBe('036162')
  expect(written(w => w.string(null), true).toString('hex')).toBe('00')
  expect(written(w => w.uvarint(300)).toString('hex')).toBe('ac02')
  expect(written(w => w.nullArray()).toString('hex')).toBe('ffffffff')
})

test('what is written is read back, compact or not, however long', () => {
  const value = fc.record({
    n: fc.maxSafeInteger(),
    s: fc.string({ maxLength: 6000 }),
    b: fc.uint8Array({ maxLength: 9000 }),
    list: fc.array(fc.integer()),
  })
  fc.assert(
    fc.property(value, fc.boolean(), ({ n, s, b, list }, flexible) => {
      const bytes = written(w => {
        w.int64(n)
        w.string(s)
        w.bytes(Buffer.from(b))
        w.array(list, item => w.int32(item))
        w.tags()
      }, flexible)
      const reader = new Reader(bytes)
      reader.flexible = flexible
      expect([reader.int64(), reader.string()]).toEqual([n, s])
      expect(reader.bytes()).toEqual(Buffer.from(b))
      expect(reader.array(() => reader.int32())).toEqual(list)
      reader.tags()
      expect(reader.remaining).toBe(0)
    }),
  )
})

test('a request that ends early or claims absurd lengths is malformed', () => {
  expect(() => new Reader(Buffer.from('0005', 'hex')).string()).toThrow(MalformedRequest)
  expect(() => new Reader(Buffer.from('7fffffff', 'hex')).array(() => 0)).toThrow(MalformedRequest)
  expect(() => new Reader(Buffer.from('ffff', 'hex')).string()).toThrow(MalformedRequest)
})

test('frames come out whole however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 200 })),
      (frames, cuts) => {
        const stream = Buffer.concat(
          frames.map(frame => Buffer.concat([Buffer.from([0, 0, frame.length >> 8, frame.length & 255]), frame])),
        )
        const reader = new FrameReader()
        const found: Buffer[] = []
        for (let at = 0; at < stream.length; ) {
          const step = cuts.next().value as number
          found.push(...reader.push(stream.subarray(at, at + step)))
          at += step
        }
        expect(found.map(frame => frame.toString('hex'))).toEqual(frames.map(frame => Buffer.from(frame).toString('hex')))
      },
    ),
  )
  expect(() => new FrameReader().push(Buffer.from('ffffffff', 'hex'))).toThrow(MalformedRequest)
})
