/**
 * ClickHouse's type texts (`LowCardinality(Nullable(String))`, `Tuple(x Int32, y Array(String))`) as a tree. Only the shape is
 * read here; what the words mean for us stands in types.ts.
 */
export interface ChType {
  /** The word before the parenthesis. */
  readonly name: string
  readonly args: readonly ChArgument[]
}

export type ChArgument =
  | { readonly kind: 'type'; readonly label: string | null; readonly type: ChType }
  | { readonly kind: 'number'; readonly value: number }
  /** `'UTC'`, or a member of an enum: `'a' = 1`. */
  | { readonly kind: 'text'; readonly text: string; readonly value: number | null }

/** Null if the text is not a type we can take apart (a function call as an argument, for instance). */
export function parseChType(text: string): ChType | null {
  const parser = new Parser(text)
  const type = parser.type()
  return type && parser.done() ? type : null
}

/** A type back as text, the way ClickHouse prints it. */
export function chTypeText(type: ChType): string {
  if (type.args.length === 0) return type.name
  return `${type.name}(${type.args.map(argumentText).join(', ')})`
}

function argumentText(argument: ChArgument): string {
  switch (argument.kind) {
    case 'type':
      return argument.label === null ? chTypeText(argument.type) : `${label(argument.label)} ${chTypeText(argument.type)}`
    case 'number':
      return String(argument.value)
    case 'text': {
      const quoted = `'${argument.text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
      return argument.value === null ? quoted : `${quoted} = ${argument.value}`
    }
  }
}

const label = (name: string): string =>
  /^[A-Za-z_]\w*$/.test(name) ? name : `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``

class Parser {
  #at = 0
  constructor(readonly text: string) {}

  done(): boolean {
    this.#space()
    return this.#at === this.text.length
  }

  type(): ChType | null {
    const name = this.#match(/[A-Za-z_]\w*/y)
    if (name === null) return null
    if (!this.#take('(')) return { name, args: [] }
    const args: ChArgument[] = []
    if (this.#take(')')) return { name, args }
    do {
      const argument = this.#argument()
      if (!argument) return null
      args.push(argument)
    } while (this.#take(','))
    return this.#take(')') ? { name, args } : null
  }

  #argument(): ChArgument | null {
    const number = this.#match(/-?\d+/y)
    if (number !== null) return { kind: 'number', value: Number(number) }
    const text = this.#quoted("'")
    if (text !== null) {
      if (!this.#take('=')) return { kind: 'text', text, value: null }
      const value = this.#match(/-?\d+/y)
      return value === null ? null : { kind: 'text', text, value: Number(value) }
    }
    const back = this.#quoted('`')
    if (back !== null) return this.#labelled(back)
    // `name Type` or just `Type`: a word followed by another word is a label
    const start = this.#at
    const word = this.#match(/[A-Za-z_]\w*/y)
    if (word !== null && /^\s+[A-Za-z_]/.test(this.text.slice(this.#at))) return this.#labelled(word)
    this.#at = start
    return this.#labelled(null)
  }

  #labelled(name: string | null): ChArgument | null {
    const type = this.type()
    return type && { kind: 'type', label: name, type }
  }

  #space(): void {
    while (/\s/.test(this.text[this.#at] ?? '')) this.#at++
  }

  #take(char: string): boolean {
    this.#space()
    if (this.text[this.#at] !== char) return false
    this.#at++
    return true
  }

  #match(pattern: RegExp): string | null {
    this.#space()
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.text)
    if (!match) return null
    this.#at = pattern.lastIndex
    return match[0]
  }

  #quoted(quote: string): string | null {
    this.#space()
    if (this.text[this.#at] !== quote) return null
    let out = ''
    for (let i = this.#at + 1; i < this.text.length; i++) {
      const c = this.text[i]
      if (c === '\\') out += this.text[++i] ?? ''
      else if (c !== quote) out += c
      else if (this.text[i + 1] === quote) out += this.text[++i]
      else {
        this.#at = i + 1
        return out
      }
    }
    return null
  }
}
