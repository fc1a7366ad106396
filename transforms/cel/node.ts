import type { DataType } from '../../runtime/schema'

/**
 * A checked expression. Every node knows its CEL type (`int`, `double`, `bool`, `string`, `bytes`, the two protobuf names for
 * timestamps and durations, `null`, or a library type such as `list<string>`, `map<string, int>`, `dyn`), whether it can be
 * null, and where it stands in the text.
 */
export type Node =
  | Const
  | ColumnRef
  | (Base & { readonly op: 'not' | 'negate'; readonly arg: Node })
  | (Base & { readonly op: 'and' | 'or'; readonly left: Node; readonly right: Node })
  | Comparison
  | Arithmetic
  | (Base & { readonly op: 'choose'; readonly test: Node; readonly then: Node; readonly otherwise: Node })
  | Membership
  | Call

interface Base {
  readonly type: string
  readonly nullable: boolean
  readonly start: number
  readonly end: number
}

export type Const = Base & { readonly op: 'const'; readonly value: CelValue }

/** A column, or a field inside struct columns: `path` is the index at each level. */
export type ColumnRef = Base & {
  readonly op: 'column'
  readonly name: string
  readonly path: readonly number[]
  readonly column: DataType
}

export type CompareSign = '==' | '!=' | '<' | '<=' | '>' | '>='
export type Comparison = Base & {
  readonly op: 'compare'
  readonly sign: CompareSign
  readonly left: Node
  readonly right: Node
}

export type ArithmeticSign = '+' | '-' | '*' | '/' | '%'
export type Arithmetic = Base & {
  readonly op: 'arithmetic'
  readonly sign: ArithmeticSign
  readonly left: Node
  readonly right: Node
}

/** `x in [constants]`. Other memberships are calls. */
export type Membership = Base & { readonly op: 'in'; readonly arg: Node; readonly list: readonly CelValue[] }

/** Anything the library or a native function computes from arguments; null if one of them is null. */
export type Call = Base & {
  readonly op: 'call'
  /** Signature, e.g. `string.contains(string)`; what kernels look for. */
  readonly name: string
  readonly args: readonly Node[]
  readonly run: (args: readonly CelValue[]) => CelValue
}

/**
 * A value while an expression is computed row by row: ints are bigints (so that all 64 bits count), timestamps are nanoseconds
 * since 1970 and durations nanoseconds, both as bigints. Lists and maps are the library's own values.
 */
export type CelValue = null | boolean | bigint | number | string | Uint8Array | object

/** An expression that cannot be computed for one row: D012 for that row. */
export class RowFailure extends Error {}

export const isNullConst = (node: Node): boolean => node.op === 'const' && node.value === null
