import { isDeepStrictEqual } from 'node:util'
import type { Declaration } from '../plugin'

/**
 * One test of a plugin, without a test framework: `run` throws where the plugin does not keep its contract. Give each to
 * whatever runs tests: `for (const c of cases) test(c.name, c.run)`.
 */
export interface ConformanceCase {
  readonly name: string
  /** Why it is left out, from the declaration; then `run` does nothing. */
  readonly skipped: string | null
  run(): Promise<void>
}

/** Skips every test that needs an instance while the suite was given no fixture (a service, files) to make one with. */
const WITHOUT_INSTANCE = 'instance'

/** Cases of a suite with the skips of the declaration. Throws if the declaration skips a test that does not exist. */
export function suite(
  declaration: Declaration,
  hasFixture: boolean,
  tests: Readonly<Record<string, () => Promise<void>>>,
): readonly ConformanceCase[] {
  const skip = declaration.conformance.skip ?? {}
  for (const name of Object.keys(skip)) {
    if (name !== WITHOUT_INSTANCE && !(name in tests)) {
      throw new Error(`${declaration.name} skips "${name}", which is no test of the suite`)
    }
  }
  return Object.entries(tests).map(([name, run]) => {
    const skipped = skip[name] ?? (hasFixture ? null : (skip[WITHOUT_INSTANCE] ?? null))
    return { name, skipped, run: skipped === null ? run : async () => {} }
  })
}

export function check(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(message)
}

export function checkEqual(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return
  const show = (value: unknown): string => {
    const text = JSON.stringify(value) ?? String(value)
    return text.length > 400 ? `${text.slice(0, 400)}...` : text
  }
  throw new Error(`${what}: got ${show(actual)}, expected ${show(expected)}`)
}

/** The error that a call ends with; throws if it ends well. */
export async function failure(call: () => Promise<unknown>, what: string): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  throw new Error(`${what} should have failed`)
}

/** Waits for a promise that must end by itself; a hanging plugin is an error after `ms` and not a hanging test run. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not end within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
