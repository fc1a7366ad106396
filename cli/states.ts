import type { ConnectionConfig } from '../connectors/clickhouse/config'
import type { PipelineSpec } from '../runtime/spec'
import { fileStates, type StateStore } from '../runtime/state'
import { type ClickHouseStore, createStore } from '../sql/client'
import { tableStates } from '../sql/state_table'

export interface States {
  of(pipeline: PipelineSpec): StateStore
  close(): Promise<void>
}

/** State of stateful transforms: in the pipeline's ClickHouse, where every worker finds it, else in files of this machine. */
export function stateStores(dataDir: string): States {
  const open: ClickHouseStore[] = []
  const made = new Map<string, StateStore>()
  const make = (pipeline: PipelineSpec): StateStore => {
    const connection = Object.values(pipeline.connections).find(c => c.type === 'clickhouse')
    if (!connection) return fileStates(dataDir, pipeline.name)
    const store = createStore(connection.config as ConnectionConfig, { baseDir: pipeline.baseDir })
    open.push(store)
    return tableStates(store, pipeline.name)
  }
  return {
    of(pipeline) {
      const states = made.get(pipeline.name) ?? make(pipeline)
      made.set(pipeline.name, states)
      return states
    },
    async close() {
      await Promise.all(open.map(store => store.close()))
    },
  }
}
