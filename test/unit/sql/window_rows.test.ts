import { runs } from '../../../sql/windows/finalise'

test('neighbouring windows become ranges', () => {
  expect(runs([10, 20, 30, 60, 80, 90], 10)).toEqual([
    [10, 30],
    [60, 60],
    [80, 90],
  ])
  expect(runs([5], 10)).toEqual([[5, 5]])
})
