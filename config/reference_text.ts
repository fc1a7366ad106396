import type { OptionRow, Part } from './reference'

const FIRST_LINES = 'Whole pipelines; the first lines of each say how to run it:'

/** A page of the committed reference, `config/generated/reference/`. */
export const markdownPage = (parts: readonly Part[]): string => `${parts.map(markdown).join('\n\n')}\n`

function markdown(part: Part): string {
  switch (part.kind) {
    case 'title':
      return `# ${part.text}`
    case 'heading':
      return `## ${part.text}`
    case 'text':
      return part.text
    case 'options': {
      const rows = part.rows.map(r => `| \`${r.name}\` | ${cell(r.type)} | ${cell(r.standard)} | ${cell(r.text)} |`)
      return ['| option | type | default | |', '|---|---|---|---|', ...rows].join('\n')
    }
    case 'facts':
      return ['| | |', '|---|---|', ...part.rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n')
    case 'code':
      return `${part.caption}:\n\n\`\`\`${part.language}\n${part.text}\n\`\`\``
    case 'files': {
      const links = part.names.map(f => `- [config/examples/${f}](../../examples/${f})`)
      return `${FIRST_LINES}\n\n${links.join('\n')}`
    }
  }
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

/** The same page for a terminal of this many columns: headings in capitals, options aligned, everything below a heading indented. */
export const plainPage = (parts: readonly Part[], width: number): string =>
  `${parts.map(part => plain(part, width)).join('\n\n')}\n`

const INDENT = '  '

function plain(part: Part, width: number): string {
  switch (part.kind) {
    case 'title':
      return part.text
    case 'heading':
      return part.text.toUpperCase()
    case 'text':
      return wrapped(part.text, width, INDENT)
    case 'options':
      return options(part.rows, width)
    case 'facts': {
      const widest = Math.max(...part.rows.map(([name]) => name.length))
      return part.rows.map(([name, value]) => `${INDENT}${name.padEnd(widest)}  ${value}`).join('\n')
    }
    case 'code':
      return `${INDENT}${part.caption}:\n\n${indented(part.text, INDENT.repeat(2))}`
    case 'files':
      return [wrapped(FIRST_LINES, width, INDENT), '', ...part.names.map(f => `${INDENT.repeat(2)}config/examples/${f}`)].join(
        '\n',
      )
  }
}

/** Columns wider than this push what follows out of line instead of making every line as wide. */
const WIDEST = 30

/** Name, type and default in columns, and below them what the option is for. */
function options(rows: readonly OptionRow[], width: number): string {
  const shown = rows.map(r => [r.name, bare(r.type), r.standard === 'required' ? 'required' : defaultOf(r)] as const)
  const widths = [0, 1].map(i => Math.min(WIDEST, Math.max(...shown.map(cells => cells[i].length))))
  return rows
    .map(({ text }, i) => {
      const [name, type, standard] = shown[i]
      const line = `${INDENT}${name.padEnd(widths[0])}  ${type.padEnd(widths[1])}  ${standard}`.trimEnd()
      return text === '' ? line : `${line}\n${wrapped(text, width, INDENT.repeat(3))}`
    })
    .join('\n')
}

const defaultOf = ({ standard }: OptionRow): string => (standard === '' ? '' : `default ${bare(standard)}`)

/** In columns a word of the language needs no marks; in sentences it keeps them, as in every message of the program. */
const bare = (text: string): string => text.replaceAll('`', '')

const indented = (text: string, by: string): string =>
  text
    .split('\n')
    .map(line => `${by}${line}`.trimEnd())
    .join('\n')

/** One paragraph in lines of at most `width` columns, indented; a longer word has a line of its own. */
function wrapped(text: string, width: number, by: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/).filter(w => w !== '')) {
    if (line !== '' && by.length + line.length + 1 + word.length > width) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return indented([...lines, line].join('\n'), by)
}
