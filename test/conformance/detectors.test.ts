import { detectors } from '../../transforms/score/detectors'
import { conforms } from '../support/conformance'

describe.each(detectors.map(d => [d.name, d] as const))('%s', (_, declaration) => conforms(declaration))
