import { connectors } from '../../connectors'
import { type ConformanceFixture, conformance } from '../../runtime/conformance'

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
  describe(`${d.kind} ${d.name}`, () => {
    for (const t of conformance(d, d.name === 'stdout' ? printed() : {})) (t.skip === null ? test : test.skip)(t.name, t.run)
  })
}
