import type { Declaration } from '../runtime/plugin'
import { clickhouseConnector } from './clickhouse/plugin'
import { fileConnector } from './file/plugin'
import { generateConnector } from './generate/plugin'
import { kafkaConnection } from './kafka/connection'
import { kafkaSource } from './kafka/source_config'

/** Every connector of the product. There is no other place where one is made known. */
export const connectors: readonly Declaration[] = [kafkaConnection, kafkaSource, ...clickhouseConnector, fileConnector, generateConnector]
