import { randomBytes } from 'node:crypto'
import type { EngineHooks, Point } from '../runtime/hooks'

/**
 * Test hooks read from the variable OLAP_CONNECT_CHAOS, a JSON object: `kill` is the chance (0..1) that the process kills itself
 * at a named point of the delivery protocol (`at`: at these only), `seed` makes the choice repeatable, `snapshot_every` is the time
 * in milliseconds between two snapshots of what transforms have learnt. `tokens: false` switches deduplication off and `forget: true`
 * what was learnt, so that a check which must fail can be seen to fail. For the product's own tests; absent, nothing here runs.
 */
export function chaosHooks(text: string | undefined, kill: () => void): EngineHooks {
  if (!text) return {}
  const options = JSON.parse(text) as Options
  const random = mulberry32(options.seed ?? 1)
  const chance = options.kill ?? 0
  return {
    poisonMemory: true,
    at: async point => {
      if (options.at && !options.at.includes(point)) return
      if (random() >= chance) return
      kill()
      // SIGKILL is delivered asynchronously: nothing may happen after this point
      await new Promise(() => {})
    },
    ...(options.snapshot_every === undefined ? {} : { snapshotEvery: options.snapshot_every }),
    ...(options.forget ? { forget: true } : {}),
    ...(options.tokens === false
      ? { token: (token: string) => token + randomBytes(8).toString('hex'), verifyResend: false }
      : {}),
  }
}

interface Options {
  readonly kill?: number
  readonly seed?: number
  readonly at?: readonly Point[]
  readonly tokens?: boolean
  readonly snapshot_every?: number
  readonly forget?: boolean
}

/** Mulberry32 by Tommy Ettinger, public domain: a 32-bit seeded generator, good enough to choose moments. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
