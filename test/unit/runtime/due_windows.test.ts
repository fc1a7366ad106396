import { DueWindows } from '../../../runtime/views/due_windows'

/** How long windows wait for their closing, with a clock moved by hand. */
const clockAt = () => {
  const state = { now: 0 }
  const due = new DueWindows({ now: () => state.now, monotonic: () => state.now, sleep: async () => {} })
  const at = (now: number): DueWindows => {
    state.now = now
    return due
  }
  return { at }
}

test('the oldest of the windows that close counts, from the first moment at which it was due', () => {
  const { at } = clockAt()
  at(100).passed(10)
  at(200).passed(10)
  at(300).passed(20)
  expect(at(450).closed(20)).toBe(350)
})

test('a window that became due meanwhile waits for the next closing', () => {
  const { at } = clockAt()
  at(100).passed(10)
  at(110).passed(20)
  expect(at(150).closed(10)).toBe(50)
  expect(at(160).closed(10)).toBeNull()
  expect(at(170).closed(20)).toBe(60)
})

test('nothing was due before a watermark is known', () => {
  const { at } = clockAt()
  at(100).passed(Number.NaN)
  at(100).passed(Number.NEGATIVE_INFINITY)
  expect(at(150).closed(1_000)).toBeNull()
  at(200).passed(2_000)
  expect(at(250).closed(2_000)).toBe(50)
})
