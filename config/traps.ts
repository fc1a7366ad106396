import type { ErrorCode as YamlErrorCode } from 'yaml'
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

const SYNTAX_HINTS: Partial<Record<YamlErrorCode, string>> = {
  BLOCK_AS_IMPLICIT_KEY: 'a value that holds `: ` must be quoted; or the line is indented wrongly',
  BAD_SCALAR_START: 'quote the value',
  TAB_AS_INDENT: 'indent with spaces',
  MISSING_CHAR: 'close the quote or bracket',
  BAD_DQ_ESCAPE: 'write the backslash twice, or use single quotes',
  MULTILINE_IMPLICIT_KEY: 'a key must stand on one line; is the line before it complete?',
  BAD_INDENT: 'close the bracket, or check the indentation; unquoted values in {} and [] cannot hold brackets',
  MULTIPLE_ANCHORS: 'one `&name` is enough; quote the value if `&` belongs to it',
  ALIAS_PROPS: 'an alias stands alone; quote the value if `*` belongs to it',
  BAD_ALIAS: 'quote the value: `*` starts an alias and `&` an anchor',
}

const FALLBACK = 'check quotes and indentation around the marked place'

/** What to do about a complaint of the YAML parser. */
export function syntaxHint(
  code: YamlErrorCode,
  text: string,
  offset: number,
): { readonly code: ErrorCode; readonly text: string } {
  if (code === 'UNEXPECTED_TOKEN') return unexpected(text, offset)
  return { code: 'C001_YAML_SYNTAX', text: SYNTAX_HINTS[code] ?? FALLBACK }
}

function unexpected(text: string, offset: number): { readonly code: ErrorCode; readonly text: string } {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset)
  const inFlow = /[{[]/.test(line)
  if (inFlow && (text[offset] === '[' || text[offset] === '{')) {
    return { code: 'C017_FLOW_STYLE', text: 'quote the value: brackets and braces end an unquoted value inside {} and []' }
  }
  if (/["']\s*$/.test(line)) {
    return { code: 'C001_YAML_SYNTAX', text: 'text follows a closed quote: put the whole value in single quotes' }
  }
  return { code: 'C001_YAML_SYNTAX', text: FALLBACK }
}
