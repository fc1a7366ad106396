import type { YAMLError } from 'yaml'
import type { ErrorCode } from '../runtime/errors'

export interface SyntaxProblem {
  readonly code: ErrorCode
  readonly at: number
  readonly message: string
  readonly hint: string
}

const HINTS: Partial<Record<YAMLError['code'], string>> = {
  BLOCK_AS_IMPLICIT_KEY: 'a value that holds `: ` must be quoted; or the line is indented wrongly',
  BAD_SCALAR_START: 'quote the value',
  TAB_AS_INDENT: 'indent with spaces',
  MISSING_CHAR: 'close the quote or bracket',
  BAD_DQ_ESCAPE: 'write the backslash twice, or use single quotes',
  MULTILINE_IMPLICIT_KEY: 'a key must stand on one line; is the line before it complete?',
  BAD_INDENT: 'close the bracket; unquoted values inside {} and [] cannot hold brackets',
  MULTIPLE_ANCHORS: 'one `&name` is enough; quote the value if `&` belongs to it',
  ALIAS_PROPS: 'an alias stands alone; quote the value if `*` belongs to it',
  BAD_ALIAS: 'quote the value: `*` starts an alias and `&` an anchor',
}

const FALLBACK = 'check quotes and indentation around the marked place'

/** A complaint of the YAML parser with what to do about it; the usual mistakes get a message of their own. */
export function syntaxProblem({ code, pos: [offset], message }: YAMLError, text: string): SyntaxProblem {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1
  const before = text.slice(lineStart, offset)
  const tag = /[:[{,-]\s+(![^\s!]\S*)\s+$/.exec(before)
  if (tag && (code === 'BAD_SCALAR_START' || code === 'UNEXPECTED_TOKEN')) {
    const at = offset - before.length + before.lastIndexOf(tag[1])
    return {
      code: 'C007_YAML_TAG',
      at,
      message: `\`${tag[1]}\` is read as a YAML tag`,
      hint: 'quote the value: an unquoted `!` starts a tag',
    }
  }
  const syntax = { code: 'C001_YAML_SYNTAX', at: offset, message, hint: HINTS[code] ?? FALLBACK } as const
  if (code === 'BAD_INDENT' && message.startsWith('All ')) {
    const blanks = /^[ ]*/.exec(text.slice(offset))?.[0].length ?? 0
    return { ...syntax, at: offset + blanks, hint: 'line it up with the keys or entries it belongs to' }
  }
  if (code !== 'UNEXPECTED_TOKEN') return syntax
  if (/[{[]/.test(before) && (text[offset] === '[' || text[offset] === '{')) {
    const cause = `\`${text[offset]}\` ends the unquoted value before it`
    return {
      code: 'C017_FLOW_STYLE',
      at: offset,
      message: cause,
      hint: 'quote the value: inside {} and [] it cannot hold brackets',
    }
  }
  if (/["']\s*$/.test(before)) {
    return { ...syntax, message: 'text after a closed quote', hint: 'put the whole value in single quotes' }
  }
  return syntax
}
