import { type ConformanceFixture, conformance } from '../../runtime/conformance'
import type { Declaration } from '../../runtime/plugin'
import { testUnless } from './skip'

/** Enrols a plugin in the shared suite. */
export function conforms(declaration: Declaration, fixture?: ConformanceFixture): void {
  for (const t of conformance(declaration, fixture)) {
    testUnless(t.skip, `conformance of the ${declaration.kind} ${declaration.name}`)(t.name, t.run)
  }
}
