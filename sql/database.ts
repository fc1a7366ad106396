import type { ClickHouseStore } from './client'
import { identifier } from './quote'

/** Makes the store's database if it is missing. Sent without a database, because a request that names a missing one is refused. */
export async function ensureDatabase(store: ClickHouseStore, signal: AbortSignal): Promise<void> {
  await store.send(`CREATE DATABASE IF NOT EXISTS ${identifier(store.database)}`, [], { signal })
}
