import { z } from 'zod'
import { ERRORS, type ErrorCode } from '../runtime/errors'
import { didYouMean } from '../runtime/registry'
import { meantUnit } from './meant_unit'
import type { Leaf } from './schema_walk'
import type { Node } from './tree'

/** A finding in words. */
export interface Explanation {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string | undefined
}

const CLIP = 48

/** What stands there, as in the file: `the number 5`, `"abc"`, `a list`. Never what a variable held. */
export function found(node: Node, secret: boolean): string {
  switch (node.kind) {
    case 'map':
      return 'a mapping'
    case 'seq':
      return 'a list'
    case 'scalar': {
      if (secret) return 'a hidden value'
      if (node.filled) return `what \`${clip(node.source)}\` gave`
      if (typeof node.value === 'number') return `the number ${node.source.trim()}`
      if (typeof node.value === 'boolean') return String(node.value)
      return JSON.stringify(clip(node.value))
    }
    default:
      return 'another value'
  }
}

const clip = (text: string): string => (text.length > CLIP ? `${text.slice(0, CLIP)}...` : text)

/** What a field takes: `a duration such as 5s`, `a whole number`, `one of reject, skip`. */
export function expected(leaves: readonly Leaf[]): string {
  return [...new Set(leaves.map(expectedByLeaf))].join(' or ')
}

function expectedByLeaf({ schema, meta }: Leaf): string {
  if (typeof meta.expected === 'string') return meta.expected
  const { def } = schema._zod
  switch (def.type) {
    case 'string':
      return patternText(schema) ?? 'text'
    case 'number':
      return isWhole(schema) ? 'a whole number' : 'a number'
    case 'boolean':
      return 'true or false'
    case 'enum':
      return words(Object.values(def.entries))
    case 'literal':
      return words(def.values)
    case 'array':
    case 'tuple':
      return 'a list'
    case 'object':
      return keysOf(schema).length > 0 ? `a mapping with ${keysOf(schema).slice(0, 5).join(', ')}` : 'a mapping'
    case 'record':
      return 'a mapping'
    default:
      return 'another value'
  }
}

const words = (values: readonly unknown[]): string => (values.length > 1 ? `one of ${values.join(', ')}` : String(values[0]))

const keysOf = (schema: z.core.$ZodTypes): readonly string[] =>
  schema._zod.def.type === 'object' ? Object.keys(schema._zod.def.shape) : []

const isWhole = (schema: z.core.$ZodTypes): boolean => z.safeParse(schema, 1.5).success === false

/** A text field that checks its text says what it wants in its message (`expected a duration such as ...`). */
function patternText(schema: z.core.$ZodTypes): string | null {
  const message = z.safeParse(schema, '\u0000').error?.issues[0]?.message
  return message?.startsWith('expected ') ? message.slice('expected '.length) : null
}

/** A value of the wrong kind. */
export function wrongType(node: Node, leaves: readonly Leaf[], secret: boolean): Explanation {
  const message = `expected ${expected(leaves)}, found ${found(node, secret)}`
  return { code: 'C003_WRONG_TYPE', message, hint: leaves.map(leaf => typeHint(node, leaf, secret)).find(h => h !== undefined) }
}

const YAML_1_1 = /^(y|yes|on|n|no|off)$/i

function typeHint(node: Node, { schema, meta }: Leaf, secret: boolean): string | undefined {
  const { type } = schema._zod.def
  if (typeof meta.expected === 'string' && meta.expected.startsWith('{')) {
    const word = node.kind === 'scalar' && !node.filled && !secret ? node.source.trim() : 'NAME'
    return `write ${meta.expected.replace('NAME', word)}`
  }
  if (node.kind === 'scalar') {
    const { value, plain } = node
    if (type === 'boolean') {
      if (typeof value === 'string' && YAML_1_1.test(value)) {
        return `write ${/^(y|yes|on)$/i.test(value)}: YAML 1.2 reads ${value} as text`
      }
      if (typeof value === 'string' && /^(true|false)$/i.test(value)) return 'remove the quotes'
      return 'write true or false'
    }
    if (type === 'number' && typeof value === 'string') {
      const digits = value.replaceAll(/[_,' ]/g, '')
      if (!plain && z.safeParse(schema, Number(value)).success && value.trim() !== '') return 'remove the quotes'
      if (digits !== value && /^[-+]?\d+(\.\d+)?$/.test(digits)) return `write ${digits}`
      return 'give a number without a unit'
    }
    if (type === 'number') return Number.isInteger(value) ? undefined : 'give a whole number'
    if (type === 'string' && typeof value !== 'string') return unitHint(schema, node.source.trim(), value)
    if (type === 'array') return secret || node.filled ? 'write a list: [...]' : `write a list: [${node.source.trim()}]`
  }
  if (['string', 'number', 'boolean', 'enum'].includes(type)) return 'write a single value'
  if (type === 'object' && keysOf(schema).length > 0) return `write a mapping; its keys are ${keysOf(schema).join(', ')}`
  if (type === 'object' || type === 'record') return 'write a mapping: one `key: value` per line'
  if (type === 'array') return 'write a list: one `- entry` per line'
  return undefined
}

/** A bare number where a duration or a size is wanted, or where text must be quoted. */
function unitHint(schema: z.core.$ZodTypes, source: string, value: number | boolean): string {
  const takes = (text: string): boolean => z.safeParse(schema, text).success
  if (typeof value === 'number' && !takes(String(value))) {
    if (takes(`${value}s`)) return `give a unit: ${value}s or ${value}ms`
    if (takes(`${value}/s`)) return `give a unit: ${value}/s or ${value}/m`
    if (takes(`${value}MiB`)) return value < 10_000 ? `give a unit: ${value}MiB or ${value}KiB` : `give a unit: ${value}B`
  }
  return `quote it to make it text: "${source}"`
}

/** `write 10m` for `10 minutes`. What a variable held is never shown. */
function spellingHint(node: Node, leaves: readonly Leaf[], secret: boolean): string | undefined {
  if (node.kind !== 'scalar' || node.filled || secret) return undefined
  const meant = meantUnit(node.text, text => leaves.some(({ schema }) => z.safeParse(schema, text).success))
  return meant === null ? undefined : `write ${meant}`
}

function invalidWord(node: Node, allowed: readonly unknown[], secret: boolean): Explanation {
  const near = node.kind === 'scalar' && !secret && !node.filled ? didYouMean(String(node.value), allowed.map(String)) : null
  const message = `expected ${words(allowed)}, found ${found(node, secret)}`
  const yes = node.kind === 'scalar' && typeof node.value === 'boolean' && allowed.some(a => typeof a === 'string')
  const quoted = yes ? 'quote it to make it text' : undefined
  const wrongKind = node.kind !== 'scalar' || !allowed.some(a => typeof a === typeof node.value)
  const hint = near ? `did you mean ${near}?` : (quoted ?? `choose one: ${allowed.join(', ')}`)
  return { code: wrongKind ? 'C003_WRONG_TYPE' : 'C005_INVALID_VALUE', message, hint }
}

type Issue = z.core.$ZodIssue

/** Issues about the value itself; unions, keys and missing values are handled where the tree is known. */
export function invalidValue(issue: Issue, node: Node, leaves: readonly Leaf[], secret: boolean): Explanation {
  const said = (message: string): Explanation => ({ code: 'C005_INVALID_VALUE', message, hint: undefined })
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(node, leaves, secret)
    case 'invalid_value':
      return invalidWord(node, issue.values, secret)
    case 'too_small':
    case 'too_big': {
      const small = issue.code === 'too_small'
      const limit = small ? issue.minimum : issue.maximum
      const strictly = issue.inclusive === false
      if (issue.message && !/^Too (small|big)/.test(issue.message)) return said(issue.message)
      const size = small ? (strictly ? 'more than' : 'at least') : strictly ? 'less than' : 'at most'
      if (issue.origin === 'string')
        return said(small && limit === 1 ? 'the text must not be empty' : `the text must have ${size} ${limit} characters`)
      if (issue.origin === 'number' || issue.origin === 'int')
        return said(`must be ${size} ${limit}, found ${found(node, secret)}`)
      return said(small && limit === 1 ? 'must not be empty' : `must have ${size} ${limit} entries`)
    }
    case 'invalid_format': {
      const own = /^Invalid (string|[a-zA-Z0-9 ]+)/.exec(issue.message)
      const what = own
        ? `is not ${own[1] === 'string' ? `of the form ${issue.pattern ?? issue.format}` : `a valid ${own[1]}`}`
        : issue.message
      const message = own ? `${found(node, secret)} ${what}` : `${what}, found ${found(node, secret)}`
      return { ...said(message), hint: spellingHint(node, leaves, secret) ?? rateHint(node, secret) }
    }
    case 'not_multiple_of':
      return said(`must be a multiple of ${issue.divisor}`)
    case 'custom':
      return custom(issue)
    default:
      return said(issue.message)
  }
}

/** `1 per hour` is written `1/hour`. */
function rateHint(node: Node, secret: boolean): string | undefined {
  const [, count, unit] =
    (node.kind === 'scalar' && !secret && /^(\d+(?:\.\d+)?)\s*(?:per|an?|every)\s+([a-z]+)$/i.exec(node.text)) || []
  return unit === undefined ? undefined : `write ${count}/${unit}`
}

/** A check that misses a key (`mode: upsert` needs `version:`). */
export function missingKey(issue: z.core.$ZodIssueCustom): Explanation {
  const said = custom(issue)
  return said.code === 'C005_INVALID_VALUE'
    ? { ...said, code: 'C004_MISSING_KEY', hint: said.hint ?? `add \`${String(issue.path.at(-1))}:\`` }
    : said
}

/** A plugin's own check may name a code and a hint: `addIssue({code: 'custom', message, params: {code: 'C016_SCHEMA', hint}})`. */
function custom(issue: z.core.$ZodIssueCustom): Explanation {
  const { code, hint } = issue.params ?? {}
  return {
    code: isErrorCode(code) ? code : 'C005_INVALID_VALUE',
    message: issue.message === 'Invalid input' ? 'this value is not allowed here' : issue.message,
    hint: typeof hint === 'string' ? hint : undefined,
  }
}

const isErrorCode = (code: unknown): code is ErrorCode => typeof code === 'string' && Object.hasOwn(ERRORS, code)
