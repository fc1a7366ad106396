import { placesOf } from '../../../../cli/page/keys'
import type { Finding } from '../../../../cli/page/verdict'
import type { ShownView } from '../../../../cli/page/views'

const finding = (device: string, more: Partial<Finding> = {}): Finding => ({
  level: 'critical',
  kind: 'anomaly',
  pipeline: 'p',
  name: 'cpu_1m',
  key: { site: 's', device },
  also: [],
  feature: null,
  now: true,
  text: '',
  ...more,
})
const shown = { pipeline: { name: 'p' }, view: { name: 'cpu_1m', keys: ['device', 'site'] } } as unknown as ShownView

test('keys have the places of their findings, also where the finding is told of another view', () => {
  const findings = [
    finding('c'),
    finding('x', { pipeline: 'q' }),
    finding('y', { name: 'cpu_5m' }),
    finding('z', { kind: 'flow', key: null }),
    finding('a', { name: 'cpu_5m', also: ['cpu_1m'] }),
    finding('b'),
  ]
  expect([...placesOf(shown, findings)]).toEqual([
    ['["c","s"]', 0],
    ['["a","s"]', 1],
    ['["b","s"]', 2],
  ])
})
