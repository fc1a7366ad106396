/** Rows as aligned text with a header line; numbers to the right. */
export function tableText(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const numeric = header.map((_, i) => rows.length > 0 && rows.every(r => /^-?[\d.,]+(e[+-]?\d+)?$|^null$/i.test(r[i])))
  const widths = header.map((h, i) => Math.max(h.length, ...rows.map(r => r[i].length)))
  const line = (cells: readonly string[]): string =>
    cells
      .map((c, i) => (numeric[i] ? c.padStart(widths[i]) : c.padEnd(widths[i])))
      .join('  ')
      .trimEnd()
  return `${[line(header), line(widths.map(w => '-'.repeat(w))), ...rows.map(line)].join('\n')}\n`
}
