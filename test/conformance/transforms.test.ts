import { transforms } from '../../transforms'
import { conforms } from '../support/conformance'

describe.each(transforms.map(d => [d.name, d] as const))('%s', (_, declaration) => conforms(declaration))
