import type { ConnectError } from '../runtime/errors'

/** Exit codes of every command. */
export const EXIT = {
  ok: 0,
  /** Something failed while it ran. */
  runtime: 1,
  /** The file, an option or an expression is wrong. */
  invalidInput: 2,
  /** A service is missing or refuses, a port is taken. */
  environment: 3,
  /** A second SIGINT or SIGTERM cut it short (128 + number of the signal). */
  SIGINT: 130,
  SIGTERM: 143,
} as const

/** Code for several errors: the first one's, because what follows is often its consequence. */
export const exitCodeOf = (errors: readonly ConnectError[]): number => errors[0]?.exitCode ?? EXIT.ok
