import { identifier, integer, tableName } from '../../sql/quote'
import { viewTables } from '../../sql/windows/compile'
import { type AnomalyRow, stands } from './anomalies'
import type { Key } from './series'
import type { Finding } from './verdict'
import type { ShownView, ViewStores } from './views'

/** Keys of a view that are known at a time. */
const MOST = 20_000
const FRESH_MS = 15_000
const TIMEOUT_MS = 15_000
/** A key is shown while one of its windows is among so many of the latest. */
const WINDOWS = 1_000

export interface ListedKey {
  readonly key: Key
  /** Anomalies among the latest that stand; each counts with its score. */
  readonly anomalies: number
  readonly worst: number
  /** End of the latest window that is strange; null: none. */
  readonly last: number | null
}

export interface KeyPage {
  /** Keys that match. */
  readonly total: number
  /** True where the view has more keys than are looked at. */
  readonly more: boolean
  readonly keys: readonly ListedKey[]
}

export interface KeyQuestion {
  readonly search: string
  readonly offset: number
  readonly limit: number
}

interface Known {
  readonly at: number
  readonly keys: Promise<readonly Key[]>
}

/** The keys of views: those of findings, the latest strange ones, the others. What the store says is kept for some seconds. */
export class KeyLists {
  readonly #stores: ViewStores
  readonly #known = new Map<ShownView, Known>()

  constructor(stores: ViewStores) {
    this.#stores = stores
  }

  /** The keys of findings come first, in their order; then those that are strange in other windows, then all others. */
  async page(
    shown: ShownView,
    { search, offset, limit }: KeyQuestion,
    anomalies: readonly AnomalyRow[],
    findings: readonly Finding[],
  ): Promise<KeyPage> {
    const all = await this.#keys(shown)
    const strange = strangeness(shown, anomalies)
    const places = placesOf(shown, findings)
    const ids = new Map(all.map(key => [JSON.stringify(key), key]))
    // those that are strange are what the reader came for, also one that has gone since, or is beyond the keys that are looked at
    for (const id of strange.keys()) ids.set(id, JSON.parse(id) as Key)
    const wanted = search.toLowerCase()
    const listed = [...ids]
      .map(([id, key]) => ({ key, id }))
      .filter(({ key }) => wanted === '' || key.some(text => text.toLowerCase().includes(wanted)))
      .map(({ key, id }) => ({ place: places.get(id) ?? places.size, listed: { key, ...(strange.get(id) ?? NORMAL) } }))
      .sort((a, b) => a.place - b.place || strangerFirst(a.listed, b.listed))
      .map(k => k.listed)
    return { total: listed.length, more: all.length >= MOST, keys: listed.slice(offset, offset + limit) }
  }

  /** Asked for once for all browsers, so that none of them ends it by going away. */
  #keys(shown: ShownView): Promise<readonly Key[]> {
    const known = this.#known.get(shown)
    const now = performance.now()
    if (known && now - known.at < FRESH_MS) return known.keys
    // two statements, each with a timeout of its own
    const keys = this.#read(shown, AbortSignal.timeout(2 * TIMEOUT_MS))
    this.#known.set(shown, { at: now, keys })
    keys.catch(() => this.#known.delete(shown))
    return keys
  }

  async #read(shown: ShownView, signal: AbortSignal): Promise<readonly Key[]> {
    const { view } = shown
    if (view.keys.length === 0) return [[]]
    const store = this.#stores.of(shown)
    await this.#stores.columns(shown, signal)
    const tables = viewTables(store.database, view)
    const rows = tableName(tables.rows ?? tables.view)
    const names = view.keys.map(identifier).join(', ')
    const texts = view.keys.map((name, k) => `toString(${identifier(name)}) AS ${identifier(`k${k}`)}`).join(', ')
    const span = Math.max(3_600, (WINDOWS * view.window.slide) / 1000)
    const found = await store.query(
      `SELECT ${texts} FROM ${rows}
       WHERE window_end > (SELECT max(window_end) FROM ${rows}) - INTERVAL ${integer(span)} SECOND
       GROUP BY ${names} ORDER BY ${names} LIMIT ${integer(MOST)}`,
      { signal, timeout: TIMEOUT_MS },
    )
    return found.map(row => view.keys.map((_, k) => String(row[`k${k}`])))
  }
}

const strangerFirst = (a: ListedKey, b: ListedKey): number => (b.last ?? 0) - (a.last ?? 0) || b.worst - a.worst

/** Places of a view's keys in the findings, by key as JSON. */
export function placesOf({ pipeline, view }: ShownView, findings: readonly Finding[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>()
  for (const { kind, pipeline: of, name, also, key } of findings) {
    if (kind !== 'anomaly' || key === null || of !== pipeline.name || (name !== view.name && !also.includes(view.name))) continue
    places.set(idOf(view, key), places.size)
  }
  return places
}

const idOf = (view: ShownView['view'], key: AnomalyRow['key']): string => JSON.stringify(view.keys.map(name => key[name] ?? ''))

const NORMAL = { anomalies: 0, worst: 0, last: null } as const

/** By key as JSON. */
function strangeness(
  { pipeline, view }: ShownView,
  anomalies: readonly AnomalyRow[],
): ReadonlyMap<string, Omit<ListedKey, 'key'>> {
  const found = new Map<string, Omit<ListedKey, 'key'>>()
  for (const a of anomalies) {
    if (a.view !== view.name || a.pipeline !== pipeline.name || !stands(a)) continue
    const id = idOf(view, a.key)
    const known = found.get(id) ?? NORMAL
    found.set(id, {
      anomalies: known.anomalies + 1,
      worst: Math.max(known.worst, a.score),
      last: Math.max(known.last ?? 0, a.window_end),
    })
  }
  return found
}
