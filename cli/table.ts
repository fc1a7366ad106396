/** A column is not made narrower than this, whatever the width: a cell of single letters cannot be read. */
const LEAST = 10
const GAP = '  '

/**
 * Rows as aligned text with a header line; numbers to the right. Cells that would make lines longer than `width` are written in
 * several lines, those of the widest columns first. Nothing is left out.
 */
export function tableText(header: readonly string[], rows: readonly (readonly string[])[], width = Infinity): string {
  const numeric = header.map((_, i) => rows.length > 0 && rows.every(r => /^-?[\d.,]+(e[+-]?\d+)?$|^null$/i.test(r[i])))
  const widths = fitted(
    header.map((h, i) => Math.max(h.length, ...rows.map(r => r[i].length))),
    width,
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((c, i) => (numeric[i] ? c.padStart(widths[i]) : c.padEnd(widths[i])))
      .join(GAP)
      .trimEnd()
  const lines = (cells: readonly string[]): readonly string[] => {
    const parts = cells.map((c, i) => cut(c, widths[i]))
    const height = Math.max(...parts.map(p => p.length))
    return Array.from({ length: height }, (_, at) => line(parts.map(p => p[at] ?? '')))
  }
  return `${[...lines(header), line(widths.map(w => '-'.repeat(w))), ...rows.flatMap(lines)].join('\n')}\n`
}

/** The widths, the largest of them made equal and so small that all fit, as far as they may. */
function fitted(widths: readonly number[], width: number): readonly number[] {
  const room = width - GAP.length * (widths.length - 1)
  const limited = (limit: number): readonly number[] => widths.map(w => Math.min(w, limit))
  const sum = (of: readonly number[]): number => of.reduce((a, b) => a + b, 0)
  if (sum(widths) <= room) return widths
  let limit = Math.max(LEAST, Math.floor(room))
  while (limit > LEAST && sum(limited(limit)) > room) limit -= 1
  return limited(limit)
}

/** Pieces of at most `width`, cut behind a blank where there is one. */
function cut(text: string, width: number): readonly string[] {
  const pieces: string[] = []
  let rest = text
  while (rest.length > width) {
    const blank = rest.lastIndexOf(' ', width)
    const at = blank > 0 ? blank : width
    pieces.push(rest.slice(0, at))
    rest = rest.slice(blank > 0 ? at + 1 : at)
  }
  return [...pieces, rest]
}
