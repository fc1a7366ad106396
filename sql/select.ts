import { ConnectError } from '../runtime/errors'
import type { ColumnSet, StoreOptions } from '../runtime/store'
import type { ClickHouseStore } from './client'

export async function selectColumns(_store: ClickHouseStore, _sql: string, _options: StoreOptions): Promise<ColumnSet> {
  throw new ConnectError('R001_INTERNAL', 'not written yet')
}
