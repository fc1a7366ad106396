import type { Declaration } from '../plugin'
import { declarationTests } from './declaration'
import { detectorTests } from './detector'
import { type SinkFixture, sinkTests } from './sink'
import { type SourceFixture, sourceTests } from './source'
import type { ConformanceTest, Test } from './test'
import { transformTests } from './transform'

export type { SinkFixture } from './sink'
export { SINK_SCHEMA } from './sink'
export type { SourceFixture } from './source'
export type { ConformanceTest } from './test'

/** What a source or sink is tried with where its `conformance.config` alone is not enough (files, a running service). */
export interface ConformanceFixture {
  /** Called once for each test, so that each can begin without a position. */
  readonly source?: () => Promise<SourceFixture> | SourceFixture
  /** Called once for each test, so that each can have an empty target. */
  readonly sink?: () => Promise<SinkFixture> | SinkFixture
}

/**
 * The tests every plugin must pass, as plain functions for any test runner: `run` rejects where the plugin breaks its
 * contract. Built in ones and those of third parties run the same:
 *
 * ```ts
 * for (const t of conformance(declaration)) (t.skip ? test.skip : test)(t.name, t.run)
 * ```
 *
 * A name is `group: sentence`. `conformance.skip` of a declaration names a test or a whole group and says why. The group `source`
 * or `sink` is skipped for a plugin with a connection, or by its declaration, until a fixture gives it what it needs.
 */
export function conformance(declaration: Declaration, fixture: ConformanceFixture = {}): readonly ConformanceTest[] {
  const tests = [...declarationTests(declaration), ...kindTests(declaration, fixture)]
  const skips = declaration.conformance.skip ?? {}
  const known = new Set(tests.flatMap(t => [t.name, groupOf(t.name)]))
  const unknown = Object.keys(skips).filter(name => !known.has(name))
  return [
    ...tests.map(t => ({
      name: t.name,
      skip: skips[t.name] ?? groupSkip(declaration, fixture, groupOf(t.name)),
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

function groupSkip(declaration: Declaration, fixture: ConformanceFixture, group: string): string | null {
  if ((group === 'source' || group === 'sink') && fixture[group] !== undefined) return null
  const declared = declaration.conformance.skip?.[group]
  if (declared !== undefined) return declared
  const needs =
    (declaration.kind === 'source' || declaration.kind === 'sink') && group === declaration.kind ? declaration.connection : null
  return needs === null ? null : `needs a connection of type ${needs}`
}

/** Tests of behaviour, where the suite has some for the kind. */
function kindTests(declaration: Declaration, fixture: ConformanceFixture): readonly Test[] {
  switch (declaration.kind) {
    case 'transform':
      return transformTests(declaration)
    case 'source':
      return sourceTests(declaration, fixture.source)
    case 'sink':
      return sinkTests(declaration, fixture.sink)
    case 'detector':
      return detectorTests(declaration)
    default:
      return []
  }
}
