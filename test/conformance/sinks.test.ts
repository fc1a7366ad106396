import { connectors } from '../../connectors'
import { stdoutConnector } from '../../connectors/stdout/plugin'
import { sinkConformance } from '../../runtime/conformance/sink'

describe('stdout', () => {
  const begin = () => {
    let printed = ''
    return {
      stdout: async (text: string) => {
        printed += text
      },
      ids: async () =>
        printed
          .split('\n')
          .filter(Boolean)
          .map(line => JSON.parse(line).id as number),
    }
  }
  for (const c of sinkConformance(stdoutConnector, begin)) (c.skipped === null ? test : test.skip)(c.name, c.run)
})

test('every sink is enrolled, or says why not', () => {
  for (const d of connectors) {
    if (d.kind !== 'sink' || d === stdoutConnector) continue
    expect(d.conformance.skip?.instance).toMatch(/needs/)
  }
})
