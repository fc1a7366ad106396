import type { ViewSpec } from '../../runtime/spec'

/** A view of the table `cpu` with event time `ts`; five minutes sliding by one, by device, unless said otherwise. */
export const viewSpec = (changes: Partial<ViewSpec> = {}): ViewSpec => ({
  name: 'v',
  connection: 'clickhouse',
  from: 'cpu',
  time: 'ts',
  window: { size: 300_000, slide: 60_000, offset: 0 },
  keys: ['device'],
  where: null,
  columns: { n: 'count()', mean: 'avg(cpu)' },
  delay: 0,
  lateness: 0,
  retain: null,
  panesRetain: 172_800_000,
  at: 'test.yaml:1:1',
  ...changes,
})
