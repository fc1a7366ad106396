import { conformance } from '../../runtime/conformance'
import { detectors } from '../../transforms/score/detectors'

describe.each(detectors.map(d => [d.name, d] as const))('%s', (_, declaration) => {
  for (const t of conformance(declaration)) (t.skip === null ? test : test.skip)(t.name, t.run)
})
