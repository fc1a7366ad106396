import { ConnectError } from '../../runtime/errors'
import { didYouMean } from '../../runtime/registry'
import { type Field, type Schema, typeName } from '../../runtime/schema'
import { isTime, libraryCall, nativeCall, signatureOf, summaryOf } from './calls'
import { type AstNode, DURATION, ParseError, parseCel, serialize, TIMESTAMP } from './library'
import type { ArithmeticSign, Call, CelValue, ColumnRef, CompareSign, Node } from './node'
import { isNullConst } from './node'
import { compileScalar } from './scalar'
import { celType } from './values'

/**
 * Parses an expression and checks it against the columns of a schema. Throws C014_EXPRESSION with the place inside the
 * expression and the types of the columns, C015_UNKNOWN_COLUMN with a suggestion. `where` says what the expression belongs to
 * (`if`, `fields.ratio`).
 *
 * Deviations from plain CEL, all of them lenient: an int beside a double counts as a double (integer literals are promoted);
 * any value compares with null; nullable columns are wrapper types (see scalar.ts for what null does).
 */
export function checkCel(text: string, schema: Schema, where: string): Node {
  let ast: AstNode
  try {
    ast = parseCel(text)
  } catch (error) {
    const start = error instanceof ParseError ? (error.range?.start ?? 0) : 0
    throw expressionError(text, where, start, summaryOf(error))
  }
  return new Checker(text, schema, where).check(ast)
}

/** The one form of a message about an expression: characters are counted from 1. */
export const expressionError = (text: string, where: string, start: number, reason: string, hint?: string): ConnectError =>
  new ConnectError('C014_EXPRESSION', `${where}: character ${start + 1} of "${text}": ${reason}`, { hint })

const SCALARS: readonly string[] = ['int', 'double', 'bool', 'string', 'bytes', TIMESTAMP, DURATION]
const isNumber = (type: string): boolean => type === 'int' || type === 'double'
const short = (type: string): string => type.replace('google.protobuf.', '').toLowerCase()

class Checker {
  constructor(
    readonly text: string,
    readonly schema: Schema,
    readonly where: string,
  ) {}

  check(ast: AstNode): Node {
    return this.#folded(this.#node(ast))
  }

  #node(ast: AstNode): Node {
    switch (ast.op) {
      case 'value':
        return this.#literal(ast)
      case 'id':
        return this.#column(ast, ast.args)
      case '.':
        return this.#member(ast, ast.args[0], ast.args[1])
      case '!_':
        return { ...span(ast), op: 'not', type: 'bool', nullable: false, arg: this.#bool(ast.args) }
      case '-_':
        return this.#negation(ast, this.check(ast.args))
      case '&&':
      case '||':
        return {
          ...span(ast),
          op: ast.op === '&&' ? 'and' : 'or',
          type: 'bool',
          nullable: false,
          left: this.#bool(ast.args[0]),
          right: this.#bool(ast.args[1]),
        }
      case '?:':
        return this.#choice(ast, this.#bool(ast.args[0]), this.check(ast.args[1]), this.check(ast.args[2]))
      case '==':
      case '!=':
      case '<':
      case '<=':
      case '>':
      case '>=':
        return this.#comparison(ast, ast.op, this.check(ast.args[0]), this.check(ast.args[1]))
      case '+':
      case '-':
      case '*':
      case '/':
      case '%':
        return this.#arithmetic(ast, ast.op, this.check(ast.args[0]), this.check(ast.args[1]))
      case 'in':
        return this.#membership(ast, this.check(ast.args[0]), this.check(ast.args[1]))
      case '[]':
        return this.#library(ast, ([a, b]) => `${a}[${b}]`, [this.check(ast.args[0]), this.check(ast.args[1])])
      case 'list':
        return this.#library(
          ast,
          names => `[${names.join(', ')}]`,
          ast.args.map(a => this.check(a)),
        )
      case 'map':
        return this.#library(
          ast,
          names =>
            `{${pairs(names)
              .map(([k, v]) => `${k}: ${v}`)
              .join(', ')}}`,
          ast.args.flatMap(([k, v]) => [this.check(k), this.check(v)]),
        )
      case 'call':
        return ast.args[0] === 'has' ? this.#has(ast, ast.args[1]) : this.#call(ast, ast.args[0], null, ast.args[1])
      case 'rcall':
        return isMacro(ast) ? this.#macro(ast) : this.#call(ast, ast.args[0], ast.args[1], ast.args[2])
      default:
        throw this.#error(ast, `"${ast.op}" is not supported here`)
    }
  }

  #literal(ast: AstNode & { op: 'value' }): Node {
    const value = ast.args
    if (value === null) return { ...span(ast), op: 'const', type: 'null', nullable: true, value }
    if (typeof value === 'object' && !(value instanceof Uint8Array)) {
      throw this.#error(ast, 'columns have no unsigned integers; leave out the "u"')
    }
    return { ...span(ast), op: 'const', type: literalType(value), nullable: false, value }
  }

  #column(ast: AstNode, name: string): ColumnRef {
    const index = this.schema.fields.findIndex(f => f.name === name)
    if (index < 0) throw this.#unknownColumn(name, this.schema.fields, ast.start)
    return { ...span(ast), op: 'column', name, path: [index], ...typed(this.schema.fields[index]) }
  }

  #unknownColumn(name: string, fields: readonly Field[], start: number): ConnectError {
    const names = fields.map(f => f.name)
    const near = didYouMean(name, names)
    const known = near ? `did you mean "${near}"?` : `there are ${names.join(', ')}`
    return new ConnectError(
      'C015_UNKNOWN_COLUMN',
      `${this.where}: character ${start + 1} of "${this.text}": there is no column "${name}"; ${known}`,
    )
  }

  /** `a.b`: a field of a struct column, or a key of a map. */
  #member(ast: AstNode, target: AstNode, name: string): Node {
    const on = this.check(target)
    if (on.op === 'column' && on.column.kind === 'struct') {
      const { fields } = on.column
      const index = fields.findIndex(f => f.name === name)
      if (index < 0) throw this.#unknownColumn(name, fields, ast.start)
      const { nullable, ...rest } = typed(fields[index])
      return {
        ...on,
        ...span(ast),
        ...rest,
        name: `${on.name}.${name}`,
        path: [...on.path, index],
        nullable: nullable || on.nullable,
      }
    }
    return this.#library(ast, ([a]) => `${a}.${name}`, [on])
  }

  /** `has(a.b)`: the struct's field is not null, or the map has the key. */
  #has(ast: AstNode, args: readonly AstNode[]): Node {
    const [arg] = args
    if (args.length !== 1 || arg.op !== '.') throw this.#error(ast, 'has() takes one field, as in has(device.site)')
    const on = this.check(arg.args[0])
    if (on.op === 'column' && on.column.kind === 'struct') {
      const right: Node = { ...span(ast), op: 'const', type: 'null', nullable: true, value: null }
      return { ...span(ast), op: 'compare', sign: '!=', type: 'bool', nullable: false, left: this.check(arg), right }
    }
    return this.#library(ast, ([a]) => `has(${a}.${arg.args[1]})`, [on])
  }

  #bool(ast: AstNode): Node {
    const node = this.check(ast)
    if (node.type !== 'bool' && node.type !== 'dyn') throw this.#error(ast, `${this.#show(node)} stands where a bool is needed`)
    return node
  }

  #negation(ast: AstNode, arg: Node): Node {
    if (!isNumber(arg.type)) throw this.#error(ast, `- needs a number, ${this.#show(arg)} is none`)
    return { ...span(ast), op: 'negate', type: arg.type, nullable: arg.nullable, arg }
  }

  #choice(ast: AstNode, test: Node, then: Node, otherwise: Node): Node {
    const type = commonType(then.type, otherwise.type)
    if (type === null) throw this.#error(ast, `${this.#show(then)} and ${this.#show(otherwise)} are of different types`)
    return { ...span(ast), op: 'choose', type, nullable: then.nullable || otherwise.nullable, test, then, otherwise }
  }

  #comparison(ast: AstNode, sign: CompareSign, left: Node, right: Node): Node {
    const equality = sign === '==' || sign === '!='
    const node = (): Node => ({ ...span(ast), op: 'compare', sign, type: 'bool', nullable: false, left, right })
    if (equality && (isNullConst(left) || isNullConst(right))) return node()
    const same = left.type === right.type || (isNumber(left.type) && isNumber(right.type))
    const ordered = SCALARS.includes(left.type) && left.type !== 'bytes'
    if (same && (equality ? SCALARS.includes(left.type) : ordered)) return node()
    if (SCALARS.includes(left.type) && SCALARS.includes(right.type)) {
      const time = [left, right].find(n => isTime(n.type))
      const text = [left, right].find(n => n.type === 'string' && n.op === 'const')
      const hint = time && text ? `write ${short(time.type)}(${this.#slice(text)})` : undefined
      throw this.#error(ast, `${sign} cannot compare ${this.#show(left)} with ${this.#show(right)}`, hint)
    }
    return this.#library(ast, ([a, b]) => `${a} ${sign} ${b}`, [left, right])
  }

  #arithmetic(ast: AstNode, sign: ArithmeticSign, left: Node, right: Node): Node {
    const type = arithmeticType(sign, left.type, right.type)
    if (type !== null) {
      return { ...span(ast), op: 'arithmetic', sign, type, nullable: left.nullable || right.nullable, left, right }
    }
    if (SCALARS.includes(left.type) && SCALARS.includes(right.type) && !(left.type === 'bytes' && right.type === 'bytes')) {
      throw this.#error(ast, `${sign} is not defined for ${this.#show(left)} and ${this.#show(right)}`)
    }
    return this.#library(ast, ([a, b]) => `${a} ${sign} ${b}`, [left, right])
  }

  #membership(ast: AstNode, arg: Node, list: Node): Node {
    const items = list.op === 'const' && Array.isArray(list.value) ? (list.value as readonly CelValue[]) : null
    if (items === null || !SCALARS.includes(arg.type) || isTime(arg.type)) {
      return this.#library(ast, ([a, b]) => `${a} in ${b}`, [arg, list])
    }
    for (const item of items) {
      const type = item === null ? 'null' : literalType(item)
      if (item !== null && type !== arg.type && !(isNumber(type) && isNumber(arg.type))) {
        throw this.#error(ast, `${this.#show(arg)} cannot be in a list that holds a ${type}`)
      }
    }
    return { ...span(ast), op: 'in', type: 'bool', nullable: false, arg, list: items }
  }

  #call(ast: AstNode, name: string, receiver: AstNode | null, args: readonly AstNode[]): Node {
    const on = receiver && this.check(receiver)
    const rest = args.map(a => this.check(a))
    const text = (names: readonly string[]): string =>
      on ? `${names[0]}.${name}(${names.slice(1).join(', ')})` : `${name}(${names.join(', ')})`
    const call = this.#library(ast, text, on ? [on, ...rest] : rest, signatureOf(name, on, rest))
    if (call.name === 'string.matches(string)' && rest[0].op === 'const') return this.#pattern(ast, call, String(rest[0].value))
    return call
  }

  /** `matches` with a constant pattern: compiled once, and refused here if it is none. */
  #pattern(ast: AstNode, call: Call, pattern: string): Node {
    try {
      const expression = new RegExp(pattern)
      return { ...call, run: args => expression.test(args[0] as string) }
    } catch (error) {
      throw this.#error(ast, summaryOf(error))
    }
  }

  /** A call over compiled arguments, checked by the library with a variable for each. Null arguments make it null. */
  #library(ast: AstNode, text: (names: readonly string[]) => string, args: readonly Node[], name = ''): Call {
    const nullArg = args.find(isNullConst)
    if (nullArg) throw this.#error(ast, 'null can only be compared, with == or !=')
    const names = args.map((_, i) => `a${i}`)
    const call = libraryCall(text(names), Object.fromEntries(names.map((n, i) => [n, args[i].type])))
    if (!call.ok) {
      const list = args.filter(a => a.op !== 'const').map(a => this.#show(a))
      throw this.#error(ast, `${call.reason.replaceAll('google.protobuf.', '')}${list.length > 0 ? ` (${list.join(', ')})` : ''}`)
    }
    // what comes out of a container can be null whatever the columns say
    const nullable = args.some(a => a.nullable || !SCALARS.includes(a.type))
    return { ...span(ast), op: 'call', type: call.type, nullable, name, args, run: nativeCall(name) ?? call.run }
  }

  /** `list.exists(x, ...)` and its kin: the library runs the whole, with the columns it names as variables. */
  #macro(ast: AstNode): Node {
    const columns = new Map<string, ColumnRef>()
    for (const name of freeNames(ast)) {
      if (this.schema.fields.some(f => f.name === name)) columns.set(name, this.#column(ast, name))
    }
    const variables = Object.fromEntries([...columns].map(([name, c]) => [name, c.type]))
    const call = libraryCall(serialize(ast), variables)
    if (!call.ok) {
      if (call.unknownVariable) throw this.#unknownColumn(call.unknownVariable, this.schema.fields, ast.start)
      throw this.#error(
        ast,
        `${call.reason.replaceAll('google.protobuf.', '')} (${[...columns.values()].map(c => this.#show(c)).join(', ')})`,
      )
    }
    const args = [...columns.values()]
    return { ...span(ast), op: 'call', name: 'macro', type: call.type, nullable: args.some(a => a.nullable), args, run: call.run }
  }

  /** A node without columns is computed now, so that `timestamp("...")` costs nothing per row and a bad one is refused here. */
  #folded(node: Node): Node {
    if (node.op === 'const' || node.op === 'column' || children(node).some(c => c.op !== 'const')) return node
    try {
      const value = compileScalar(node)([], 0)
      return { op: 'const', type: node.type, nullable: value === null, value, start: node.start, end: node.end }
    } catch (error) {
      throw expressionError(this.text, this.where, node.start, summaryOf(error))
    }
  }

  #slice(node: Node): string {
    return this.text.slice(node.start, node.end)
  }

  #show(node: Node): string {
    return `${this.#slice(node)} (${node.op === 'column' ? typeName(node.column) : short(node.type)})`
  }

  #error(ast: AstNode, reason: string, hint?: string): ConnectError {
    return expressionError(this.text, this.where, ast.start, reason, hint)
  }
}

const span = (ast: AstNode): { readonly start: number; readonly end: number } => ({ start: ast.start, end: ast.end })

const typed = (f: Field): Pick<ColumnRef, 'type' | 'nullable' | 'column'> => ({
  type: celType(f.type),
  nullable: f.nullable,
  column: f.type,
})

function literalType(value: CelValue): string {
  switch (typeof value) {
    case 'bigint':
      return 'int'
    case 'number':
      return 'double'
    case 'boolean':
      return 'bool'
    case 'string':
      return 'string'
    default:
      return value instanceof Uint8Array ? 'bytes' : 'dyn'
  }
}

function commonType(a: string, b: string): string | null {
  if (a === b) return a
  if (a === 'null') return b
  if (b === 'null') return a
  return isNumber(a) && isNumber(b) ? 'double' : null
}

function arithmeticType(sign: ArithmeticSign, a: string, b: string): string | null {
  if (isNumber(a) && isNumber(b)) {
    if (a === 'int' && b === 'int') return 'int'
    return sign === '%' ? null : 'double'
  }
  if (sign === '+' && a === 'string' && b === 'string') return 'string'
  if (sign === '-' && a === TIMESTAMP && b === TIMESTAMP) return DURATION
  if ((sign === '+' || sign === '-') && b === DURATION && isTime(a)) return a
  return sign === '+' && a === DURATION && b === TIMESTAMP ? TIMESTAMP : null
}

/** Comprehensions: they bind a name and compute something for each item. */
const MACROS: readonly string[] = ['all', 'exists', 'exists_one', 'map', 'filter', 'bind']
const isMacro = (ast: AstNode & { op: 'rcall' }): boolean => MACROS.includes(ast.args[0])

/** Names a subtree uses that its own macros do not bind. */
function freeNames(ast: AstNode, bound: ReadonlySet<string> = new Set()): readonly string[] {
  if (ast.op === 'id') return bound.has(ast.args) ? [] : [ast.args]
  if (ast.op === 'value') return []
  if (ast.op === 'rcall' && isMacro(ast)) {
    const [, receiver, [variable, ...rest]] = ast.args
    const inner = variable?.op === 'id' ? new Set([...bound, variable.args]) : bound
    return [...freeNames(receiver, bound), ...rest.flatMap(r => freeNames(r, inner))]
  }
  return astChildren(ast).flatMap(c => freeNames(c, bound))
}

function astChildren(ast: AstNode): readonly AstNode[] {
  const parts: unknown = ast.args
  const isNode = (v: unknown): v is AstNode => typeof v === 'object' && v !== null && 'op' in v
  return [parts].flat(3).filter(isNode)
}

export function children(node: Node): readonly Node[] {
  switch (node.op) {
    case 'const':
    case 'column':
      return []
    case 'not':
    case 'negate':
    case 'in':
      return [node.arg]
    case 'choose':
      return [node.test, node.then, node.otherwise]
    case 'call':
      return node.args
    default:
      return [node.left, node.right]
  }
}

const pairs = (names: readonly string[]): readonly (readonly [string, string])[] =>
  Array.from({ length: names.length / 2 }, (_, i) => [names[2 * i], names[2 * i + 1]] as const)
