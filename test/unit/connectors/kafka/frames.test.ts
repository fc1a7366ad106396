import fc from 'fast-check'
import { FrameReader, MAX_FRAME } from '../../../../connectors/kafka/frames'

const frame = (body: Buffer): Buffer => {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  return Buffer.concat([length, body])
}

/** Feeds a stream as a socket does: never more than the space offered, and cut wherever `cuts` says. */
function feed(reader: FrameReader, stream: Buffer, cuts: readonly number[]): void {
  let at = 0
  for (let i = 0; at < stream.length; i++) {
    const space = reader.space()
    if (space.length === 0) throw new Error('no space')
    const n = Math.min(space.length, stream.length - at, cuts.length > 0 ? cuts[i % cuts.length] : stream.length)
    stream.copy(space, 0, at, at + n)
    reader.filled(n)
    at += n
  }
}

test('frames come out as they went in, wherever the stream is cut', () => {
  const body = fc.oneof(
    { weight: 4, arbitrary: fc.uint8Array({ maxLength: 40 }) },
    { weight: 1, arbitrary: fc.integer({ min: 16_370, max: 70_000 }).map(n => new Uint8Array(n).map((_, i) => (i * 31) & 255)) },
  )
  const cut = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 100, max: 70_000 }))
  fc.assert(
    fc.property(fc.array(body, { maxLength: 12 }), fc.array(cut, { minLength: 1, maxLength: 20 }), (bodies, cuts) => {
      const frames = bodies.map(b => frame(Buffer.from(b)))
      const seen: Buffer[] = []
      const reader = new FrameReader(f => seen.push(f))
      feed(reader, Buffer.concat(frames), cuts)
      // compared at the end: a frame must not be written to after it was given out
      expect(seen.length).toBe(frames.length)
      seen.forEach((f, i) => {
        expect(f.equals(frames[i])).toBe(true)
      })
    }),
    { seed: 1, numRuns: 100 },
  )
})

test('the rest of a long frame is read to its place, never beyond its end', () => {
  const seen: Buffer[] = []
  const reader = new FrameReader(f => seen.push(f))
  const long = frame(Buffer.alloc(1_000_000, 7))
  feed(reader, long.subarray(0, 100), [])
  expect(reader.space().length).toBe(long.length - 100)
  const space = reader.space()
  long.copy(space, 0, 100)
  reader.filled(space.length)
  expect(seen[0].equals(long)).toBe(true)
  expect(space.buffer).toBe(seen[0].buffer)
})

test.each([
  ['a negative length', -1],
  ['a length no broker sends', MAX_FRAME + 1],
  ['HTTP', Buffer.from('HTTP').readInt32BE(0)],
])('%s is refused', (_name, length) => {
  const reader = new FrameReader(() => {})
  const head = Buffer.alloc(4)
  head.writeInt32BE(length)
  expect(() => feed(reader, head, [])).toThrow('no Kafka broker')
})
