import { timestampText } from '../time_text'
import { DURATION, environment, ParseError, TIMESTAMP } from './library'
import { type CelValue, type Node, RowFailure } from './node'
import { checkedInt, fromResult, toArgument } from './values'

/** What the library says about a call: its result type and how to run it, or why it is ill-typed. */
export type CallResult =
  | { readonly ok: true; readonly type: string; readonly run: (args: readonly CelValue[]) => CelValue }
  | { readonly ok: false; readonly reason: string; readonly unknownVariable: string | null }

/**
 * Checks and prepares one call, operator or literal in which `variables` stand for already compiled parts, e.g. `size(a0)`
 * with a0: string. `values` of the returned function are in the order of `variables`.
 */
export function libraryCall(text: string, variables: Readonly<Record<string, string>>): CallResult {
  const parsed = environment(variables).parse(text)
  const checked = parsed.check()
  if (!checked.valid || checked.type === undefined) {
    const unknown = /^Unknown variable: (\w+)/.exec(checked.error?.summary ?? '')
    return { ok: false, reason: checked.error?.summary ?? 'ill-typed', unknownVariable: unknown ? unknown[1] : null }
  }
  const { type } = checked
  const names = Object.keys(variables)
  const types = Object.values(variables)
  // one object for all rows: the library only reads it while it evaluates
  const context: Record<string, CelValue> = {}
  const run = (args: readonly CelValue[]): CelValue => {
    for (let i = 0; i < names.length; i++) context[names[i]] = toArgument(args[i], types[i])
    try {
      return fromResult(parsed(context), type)
    } catch (error) {
      throw error instanceof RowFailure ? error : new RowFailure(summaryOf(error))
    }
  }
  return { ok: true, type, run }
}

export const summaryOf = (error: unknown): string => {
  if (error instanceof ParseError) return error.summary
  // the library's own errors draw the expression under the message; the first line says it
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]
}

type Native = (...args: never[]) => CelValue

/**
 * Calls that run often or where the library is not exact, by signature. They are type-checked by the library all the same.
 */
const NATIVE: Readonly<Record<string, Native>> = {
  'string.contains(string)': (s: string, part: string) => s.includes(part),
  'string.startsWith(string)': (s: string, part: string) => s.startsWith(part),
  'string.endsWith(string)': (s: string, part: string) => s.endsWith(part),
  'size(string)': characters,
  'string.size()': characters,
  'double(int)': (v: bigint) => Number(v),
  'double(double)': (v: number) => v,
  'int(int)': (v: bigint) => v,
  'int(double)': (v: number) => {
    if (!Number.isFinite(v)) throw new RowFailure(`int(${v}): not a number with an integer part`)
    return checkedInt(BigInt(Math.trunc(v)))
  },
  'string(string)': (v: string) => v,
  'string(int)': (v: bigint) => v.toString(),
  [`int(${TIMESTAMP})`]: (nanos: bigint) =>
    (nanos - (((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n,
  [`string(${TIMESTAMP})`]: (nanos: bigint) => {
    const text = timestampText(nanos)
    if (text === null) throw new RowFailure('the timestamp is outside the years 1 to 9999')
    return text
  },
}

/** Code points, which is how CEL counts a string. */
function characters(text: string): bigint {
  let n = text.length
  // each pair of surrogates is one
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) n--
  return BigInt(n)
}

export function nativeCall(signature: string): ((args: readonly CelValue[]) => CelValue) | null {
  if (!Object.hasOwn(NATIVE, signature)) return null
  const native = NATIVE[signature] as (...args: readonly CelValue[]) => CelValue
  return args => native(...args)
}

/** Signature of a call over checked arguments. */
export const signatureOf = (name: string, receiver: Node | null, args: readonly Node[]): string =>
  `${receiver ? `${receiver.type}.` : ''}${name}(${args.map(a => a.type).join(', ')})`

export const isTime = (type: string): boolean => type === TIMESTAMP || type === DURATION
