// Lines that fit the terminal.

const DEFAULT_WIDTH = 100
/** Narrower ones are taken as if they were so wide: a column of single words tells nothing. */
const LEAST_WIDTH = 40

export const widthOf = stream => Math.max(LEAST_WIDTH, stream.columns || DEFAULT_WIDTH)

/** Each line of `text` in lines of at most `width` characters, cut between words; those that follow its first are indented by `indent`. */
export function wrap(text, width, indent = 0) {
  const margin = ' '.repeat(indent)
  return text
    .split('\n')
    .map(line => {
      const lines = []
      // blanks within a line stay, they make columns
      for (const [, blanks, word] of line.matchAll(/(\s*)(\S+)/g)) {
        const last = lines.length - 1
        if (last < 0) lines.push(blanks + word)
        else if (lines[last].length + blanks.length + word.length <= width) lines[last] += blanks + word
        else lines.push(margin + word)
      }
      return lines.join('\n')
    })
    .join('\n')
}
