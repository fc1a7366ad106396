/**
 * The CEL library. It parses, checks and runs calls; the operators and everything about nulls and columns are ours (check.ts).
 *
 * @marcbachmann/cel-js and not @bufbuild/cel, compared at 8.0.0 and 0.6.1: both are maintained, but the second does not export
 * its checker, needs 11 MB of protobuf and gives no plain syntax tree with positions, which our kernels are compiled from.
 */
import type * as Library from '@marcbachmann/cel-js' with { 'resolution-mode': 'import' }

import type * as Evaluator from '@marcbachmann/cel-js/evaluator' with { 'resolution-mode': 'import' }

// published as an ES module only; Node >= 20.19 can require those
const library: typeof Library = require('@marcbachmann/cel-js')
const evaluator: typeof Evaluator = require('@marcbachmann/cel-js/evaluator')

export type AstNode = Library.ASTNode
export type CelEnvironment = Library.Environment
export const { ParseError, serialize } = library
export const { Duration } = evaluator

export const TIMESTAMP = 'google.protobuf.Timestamp'
export const DURATION = 'google.protobuf.Duration'

/** Conversions of the CEL specification that the library lacks. */
const base = new library.Environment({ homogeneousAggregateLiterals: false })
  .registerFunction(`int(${TIMESTAMP}): int`, (d: Date) => BigInt(Math.floor(d.getTime() / 1000)))
  .registerFunction(`string(${TIMESTAMP}): string`, (d: Date) => d.toISOString().replace('.000Z', 'Z'))
  .registerFunction(`string(${DURATION}): string`, (d: object) => String(d))

/** An environment in which these variables are declared by their CEL types. */
export function environment(variables: Readonly<Record<string, string>>): CelEnvironment {
  const env = base.clone()
  for (const [name, type] of Object.entries(variables)) env.registerVariable(name, type)
  return env
}

/** Throws the library's ParseError. */
export const parseCel = (text: string): AstNode => base.parse(text).ast
