import type { Declaration } from '../plugin'
import { declarationTests } from './declaration'
import type { ConformanceTest, Test } from './test'
import { transformTests } from './transform'

export type { ConformanceTest } from './test'

/**
 * The tests every plugin must pass, as plain functions for any test runner: `run` rejects where the plugin breaks its
 * contract. Built in ones and those of third parties run the same:
 *
 * ```ts
 * for (const t of conformance(declaration)) (t.skip ? test.skip : test)(t.name, t.run)
 * ```
 *
 * A name is `group: sentence`. `conformance.skip` of a declaration names a test or a whole group and says why.
 */
export function conformance(declaration: Declaration): readonly ConformanceTest[] {
  const tests = [...declarationTests(declaration), ...kindTests(declaration)]
  const skips = declaration.conformance.skip ?? {}
  const known = new Set(tests.flatMap(t => [t.name, groupOf(t.name)]))
  const unknown = Object.keys(skips).filter(name => !known.has(name))
  return [
    ...tests.map(t => ({
      name: t.name,
      skip: skips[t.name] ?? skips[groupOf(t.name)] ?? null,
      run: async () => {
        await t.run()
      },
    })),
    {
      name: 'declaration: names only tests of the suite as skipped',
      skip: null,
      run: async () => {
        if (unknown.length > 0) throw new Error(`the suite has no ${unknown.join(', ')}; it has ${[...known].join(', ')}`)
      },
    },
  ]
}

const groupOf = (name: string): string => name.slice(0, name.indexOf(':'))

/** Tests of behaviour, where the suite has some for the kind. */
function kindTests(declaration: Declaration): readonly Test[] {
  return declaration.kind === 'transform' ? transformTests(declaration) : []
}
