const WIDTH = 100

/**
 * Items after `first`, a comma between them, in lines that fit a terminal, the further ones indented by `indent`. An item that is
 * longer has a line of its own.
 */
export function listLines(items: readonly string[], indent: string, first = indent): readonly string[] {
  const lines: string[] = []
  let line = first
  for (const [i, item] of items.entries()) {
    const text = i < items.length - 1 ? `${item},` : item
    const gap = line === first || line === indent ? '' : ' '
    if (line !== indent && line.length + gap.length + text.length > WIDTH) {
      lines.push(line.trimEnd())
      line = indent + text
    } else line += gap + text
  }
  return [...lines, line.trimEnd()]
}
