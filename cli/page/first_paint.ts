const PLACE = '<script type="application/json" id="first"></script>'

/**
 * The page with the state of this moment inside, as JSON that no browser executes: it shows what is wrong before it has asked for
 * anything. Throws where the page has no place for it.
 */
export function withFirst(html: string, first: unknown): string {
  const [before, after] = html.split(PLACE)
  if (after === undefined) throw new Error('index.html has no place for the first state')
  // within a script element only its end, and what looks like a comment, mean anything
  const json = JSON.stringify(first).replaceAll('<', '\\u003c')
  return `${before}${PLACE.replace('></', () => `>${json}</`)}${after}`
}
