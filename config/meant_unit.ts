/** What stands for each unit that a field may take, in words that people write, in small letters. `m` is a minute or a megabyte. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  ms: ['ms', 'msec', 'msecs', 'millis', 'millisecond', 'milliseconds'],
  s: ['s', 'sec', 'secs', 'second', 'seconds'],
  m: ['m', 'min', 'mins', 'minute', 'minutes'],
  h: ['h', 'hr', 'hrs', 'hour', 'hours'],
  d: ['d', 'day', 'days'],
  B: ['b', 'byte', 'bytes'],
  KiB: ['k', 'ki', 'kib', 'kibibyte', 'kibibytes'],
  MiB: ['m', 'mi', 'mib', 'mebibyte', 'mebibytes'],
  GiB: ['g', 'gi', 'gib', 'gibibyte', 'gibibytes'],
  kB: ['kb', 'kilobyte', 'kilobytes'],
  MB: ['mb', 'megabyte', 'megabytes'],
  GB: ['gb', 'gigabyte', 'gigabytes'],
}
const WEEK = /^(w|wks?|weeks?)$/
const SECONDS: Readonly<Record<string, number>> = { d: 86_400, h: 3600, m: 60, s: 1 }

/** `10 minutes` as a field takes it, `10m`; also `1h30m`, `2 weeks`, `32 mb`, `5 per second`. Null: it cannot be told. */
export function meantUnit(text: string, takes: (text: string) => boolean): string | null {
  const trimmed = text.trim().toLowerCase()
  const [, rate, per] = /^(\d+(?:\.\d+)?)\s*(?:\/|per|an?)\s*([a-z]+)$/.exec(trimmed) ?? []
  if (rate !== undefined)
    return (
      spellings(per)
        .map(unit => `${rate}/${unit}`)
        .find(takes) ?? null
    )
  const parts = [...trimmed.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/g)].map(([, count, word]) => ({ count, word }))
  const rest = trimmed.replaceAll(/\d+(?:\.\d+)?\s*[a-z]+/g, '').trim()
  if (parts.length === 0 || rest !== '') return null
  const [{ count, word }] = parts
  if (parts.length > 1) return total(parts, takes)
  if (WEEK.test(word)) return [`${Number(count) * 7}d`].find(takes) ?? null
  return (
    spellings(word)
      .map(unit => `${count}${unit}`)
      .find(takes) ?? null
  )
}

const spellings = (word: string): readonly string[] => Object.keys(WORDS).filter(unit => WORDS[unit].includes(word))

/** A duration in several units, in the largest that gives a whole number. */
function total(
  parts: readonly { readonly count: string; readonly word: string }[],
  takes: (text: string) => boolean,
): string | null {
  let seconds = 0
  for (const { count, word } of parts) {
    const unit = spellings(word).find(u => u in SECONDS)
    if (unit === undefined) return null
    seconds += Number(count) * SECONDS[unit]
  }
  const unit = Object.keys(SECONDS).find(u => seconds % SECONDS[u] === 0)
  return unit === undefined ? null : ([`${seconds / SECONDS[unit]}${unit}`].find(takes) ?? null)
}
