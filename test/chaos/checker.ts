/**
 * Looks at a table from outside: plain HTTP, nothing of the product. What is compared was computed from the list of records that
 * were produced, so nothing the product says about itself plays a part.
 */
export interface Held {
  readonly rows: number
  readonly different: number
  readonly smallest: number
  readonly largest: number
  readonly sumOfIds: string
  readonly sumOfAmounts: string
}

export async function look(address: string, table: string): Promise<Held> {
  const statement = `SELECT count() AS rows, uniqExact(id) AS different, min(id) AS smallest, max(id) AS largest,
    sum(toInt128(id)) AS ids, sum(toInt128(amount)) AS amounts FROM ${table} FORMAT JSONEachRow`
  const response = await fetch(address, { method: 'POST', body: statement })
  const text = await response.text()
  if (!response.ok) throw new Error(text)
  const row = JSON.parse(text)
  return {
    rows: Number(row.rows),
    different: Number(row.different),
    smallest: Number(row.smallest),
    largest: Number(row.largest),
    sumOfIds: String(row.ids),
    sumOfAmounts: String(row.amounts),
  }
}

/** Amount of a record, so that a value under a wrong id shows in the sum. */
export const amountOf = (id: number): number => (id * 7919) % 1_000_003

/** What the table holds if the ids 0 to n - 1 are in it once each. */
export function once(n: number): Held {
  let ids = 0n
  let amounts = 0n
  for (let id = 0; id < n; id++) {
    ids += BigInt(id)
    amounts += BigInt(amountOf(id))
  }
  return {
    rows: n,
    different: n,
    smallest: 0,
    largest: n - 1,
    sumOfIds: String(ids),
    sumOfAmounts: String(amounts),
  }
}
