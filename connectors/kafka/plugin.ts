import type { Declaration } from '../../runtime/plugin'
import { kafkaConnection } from './connection'
import { kafkaSink } from './sink_config'
import { kafkaSource } from './source_config'

/** Everything this connector declares. */
export const kafkaConnector: readonly Declaration[] = [kafkaConnection, kafkaSource, kafkaSink]
