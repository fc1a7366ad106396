/**
 * `${NAME:-default}` may stand anywhere in the file, also unquoted between braces, where YAML would stumble over its own braces.
 * Before YAML reads the text, the characters of a reference that mean something to YAML become Unicode noncharacters, one for
 * one, so that offsets stay as they are; scalars get them back.
 */
const MEANINGFUL = '{}[],:#!&*|>?%@`'
const FIRST_NONCHARACTER = 0xfdd0 // U+FDD0..U+FDEF are set aside for uses inside a program (Unicode 16, section 23.7)
const MASKED = new RegExp(`[\\u{${FIRST_NONCHARACTER.toString(16)}}-\\u{fdef}]`, 'gu')

/** How a reference begins; also one that is written wrongly, so that it is that and not YAML which is complained about. */
const REFERENCE = /^\$\{(file:|[A-Za-z0-9_]*(\}|:?[-+?=]))/
const LONGEST_START = 256

const hide = (character: string): string => {
  const at = MEANINGFUL.indexOf(character)
  return at === -1 ? character : String.fromCharCode(FIRST_NONCHARACTER + at)
}

/** Offset of the first character that the file must not hold because it is used here, or -1. */
export const forbiddenCharacter = (text: string): number => text.search(MASKED)

export const unmask = (text: string): string => text.replace(MASKED, c => MEANINGFUL[c.charCodeAt(0) - FIRST_NONCHARACTER] ?? c)

export function mask(text: string): string {
  let out = ''
  let from = 0
  for (let at = text.indexOf('${'); at !== -1; at = text.indexOf('${', from)) {
    const end = REFERENCE.test(text.slice(at, at + LONGEST_START)) ? referenceEnd(text, at) : -1
    if (end === -1) {
      out += text.slice(from, at + 2)
      from = at + 2
      continue
    }
    out += text.slice(from, at) + [...text.slice(at, end)].map(hide).join('')
    from = end
  }
  return out + text.slice(from)
}

/** Offset after the `}` that closes the `${` at `start`, or -1 if it is not closed on its line. */
export function referenceEnd(text: string, start: number): number {
  let depth = 0
  for (let i = start; i < text.length && text[i] !== '\n'; i++) {
    if (text.startsWith('${', i)) {
      depth++
      i++
    } else if (text[i] === '}' && --depth === 0) return i + 1
  }
  return -1
}
