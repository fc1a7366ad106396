import { connectors } from '../../connectors'
import type { ConformanceFixture } from '../../runtime/conformance'
import { conforms } from '../support/conformance'

/** Standard output that is kept, so that the suite can look at it. */
const printed = (): ConformanceFixture => ({
  sink: () => {
    let text = ''
    return {
      stdout: async more => {
        text += more
      },
      ids: async () =>
        text
          .split('\n')
          .filter(Boolean)
          .map(line => JSON.parse(line).id as number),
    }
  },
})

for (const d of connectors) {
  if (d.kind === 'source') continue
  describe(`${d.kind} ${d.name}`, () => conforms(d, d.name === 'stdout' ? printed() : {}))
}
