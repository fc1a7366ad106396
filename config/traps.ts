import type { ErrorCode } from '../runtime/errors'
import type { Node, ScalarNode } from './tree'

/** Places where valid YAML means something else than the writer thought. */
export interface Trap {
  readonly code: ErrorCode
  readonly at: number
  readonly message: string
  readonly hint: string
}

export function trapOf(scalar: ScalarNode, text: string): Trap | null {
  if (!scalar.plain) return null
  const at = scalar.start
  const source = scalar.source.trim()
  if (typeof scalar.value === 'number' && !Number.isFinite(scalar.value)) {
    return {
      code: 'C005_INVALID_VALUE',
      at,
      message: `\`${source}\` is not a number that can be used`,
      hint: 'give a finite number',
    }
  }
  if (typeof scalar.value === 'number' && Number.isInteger(scalar.value) && !Number.isSafeInteger(scalar.value)) {
    const message = `\`${source}\` has more digits than a number can keep`
    return { code: 'C005_INVALID_VALUE', at, message, hint: `quote it to make it text: "${source}"` }
  }
  if (typeof scalar.value === 'number' && /^[-+]?0\d+$/.test(source)) {
    const message = `\`${source}\` is ambiguous: decimal here, octal in YAML 1.1`
    return { code: 'C005_INVALID_VALUE', at, message, hint: `write ${Number(source)}, or "${source}" for text` }
  }
  if (typeof scalar.value === 'string' && openQuote(scalar.value) && /^\s+#/.test(text.slice(scalar.end).split('\n', 1)[0])) {
    const hint = `quote the whole value: '...'`
    return {
      code: 'C005_INVALID_VALUE',
      at,
      message: 'the value ends at ` #`, where a comment begins, inside a quoted text',
      hint,
    }
  }
  return null
}

const openQuote = (text: string): boolean => (text.split('"').length - 1) % 2 === 1 || (text.split("'").length - 1) % 2 === 1

/**
 * In flow style an unquoted value ends at a comma: `{a: sumIf(x, y)}` is the two keys `a: sumIf(x` and `y)`. The first scalar of
 * a flow collection that opens more parentheses than it closes while a later one closes more, or null.
 */
export function splitByComma(nodes: readonly Node[]): ScalarNode | null {
  let opened: ScalarNode | null = null
  for (const node of nodes) {
    if (node.kind !== 'scalar' || !node.plain) continue
    const balance = parentheses(node.text)
    if (balance > 0) opened ??= node
    else if (balance < 0 && opened) return opened
  }
  return null
}

function parentheses(text: string): number {
  let balance = 0
  for (const c of text) balance += c === '(' ? 1 : c === ')' ? -1 : 0
  return balance
}

/** `{limit: 1,000}` is the two keys `limit: 1` and `000`. The first half of a number that a comma cut in two, or null. */
export function splitNumber(
  pairs: readonly { readonly key: ScalarNode | null; readonly value: ScalarNode | null }[],
): ScalarNode | null {
  for (const [i, { key, value }] of pairs.entries()) {
    const before = pairs[i - 1]?.value
    if (before && key && !value && /\d$/.test(before.source) && /^\d{3}$/.test(key.source)) return before
  }
  return null
}
