// What the demo reads back: anomalies, and what was done to whom, out of the tables that the pipelines fill from their topics.

/** Rows of a statement; none while there is no table, or no ClickHouse. Anything else is thrown, also that it took too long. */
export async function rows(address, statement, signal = AbortSignal.timeout(5_000)) {
  if (!address) return []
  const url = `${address}/?output_format_json_quote_64bit_integers=0&output_format_json_named_tuples_as_objects=1`
  let answer
  try {
    answer = await fetch(url, { method: 'POST', body: `${statement} FORMAT JSONEachRow`, signal })
  } catch (error) {
    if (signal.aborted) throw error
    return []
  }
  const text = await answer.text()
  if (/UNKNOWN_TABLE|UNKNOWN_DATABASE/.test(text)) return []
  if (!answer.ok) throw new Error(text.slice(0, 500))
  return text
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))
}

const DATABASES = ['fleet', 'ec2', 'machine']

/** Anomalies of all three pipelines, the latest word on each, by the end of their window. Moments are milliseconds since 1970. */
export async function anomalies(address, signal) {
  const found = await Promise.all(
    DATABASES.map(async database =>
      (
        await rows(
          address,
          `SELECT id, view, detector, key, toUnixTimestamp64Milli(window_start) AS start, toUnixTimestamp64Milli(window_end) AS end,
             features, score, status FROM ${database}.anomalies FINAL WHERE status != 'normal'`,
          signal,
        )
      ).map(a => ({ ...a, database })),
    ),
  )
  return found.flat().sort((a, b) => a.end - b.end)
}

/** What was done to whom: fault (`leaking-3`), device, site, first and last record. */
export const faults = (address, signal) =>
  rows(
    address,
    `SELECT fault, any(device) AS device, any(site) AS site, toUnixTimestamp64Milli(min(ts)) AS start,
       toUnixTimestamp64Milli(max(ts)) AS end FROM fleet.faults GROUP BY fault ORDER BY start`,
    signal,
  )

/** Rows that arrived, and how far the views of the fleet have come. */
export async function progress(address, signal) {
  const count = async table => Number((await rows(address, `SELECT count() AS n FROM ${table}`, signal))[0]?.n ?? 0)
  const closed = async view =>
    Number(
      (await rows(address, `SELECT toUnixTimestamp(max(window_end)) * 1000 AS at FROM fleet.${view}__rows`, signal))[0]?.at ?? 0,
    )
  const [fleet, ec2, machine, devices, sites] = await Promise.all([
    count('fleet.events'),
    count('ec2.cpu'),
    count('machine.readings'),
    closed('devices_20s'),
    closed('sites_20s'),
  ])
  return { rows: { 'device-fleet': fleet, 'ec2-cpu': ec2, 'this-machine': machine }, closed: { devices, sites } }
}
