import { isDeepStrictEqual } from 'node:util'

export interface ConformanceTest {
  readonly name: string
  /** Why the declaration leaves it out; null: it must pass. */
  readonly skip: string | null
  readonly run: () => Promise<void>
}

export interface Test {
  readonly name: string
  readonly run: () => void | Promise<void>
}

/** Tests under names `group: sentence`. */
export const named = (group: string, tests: Readonly<Record<string, Test['run']>>): readonly Test[] =>
  Object.entries(tests).map(([sentence, run]) => ({ name: `${group}: ${sentence}`, run }))

/** Throws an error that says what was expected. */
export function check(holds: boolean, expectation: string): asserts holds {
  if (!holds) throw new Error(expectation)
}

export function checkEqual(actual: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(actual, expected)) throw new Error(`${what}: expected ${text(expected)}, got ${text(actual)}`)
}

const text = (value: unknown): string =>
  JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v))?.slice(0, 400) ?? String(value)
