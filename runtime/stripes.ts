/**
 * Rows a loop over columns handles at a time. Two reasons, both measured: what a stripe touches stays in the second-level cache
 * while one loop after another goes over it; and a function that ends often is compiled once with everything known about it,
 * while one that is caught inside a loop of a hundred thousand rows is compiled for that loop and thrown away at its end.
 */
export const STRIPE = 2048

/** Calls `body` for stripe after stripe of `rows` rows. */
export function stripes(rows: number, body: (from: number, to: number) => void): void {
  for (let from = 0; from < rows; from += STRIPE) body(from, Math.min(rows, from + STRIPE))
}
