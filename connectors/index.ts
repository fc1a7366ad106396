import type { Declaration } from '../runtime/plugin'
import { clickhouseConnector } from './clickhouse/plugin'
import { fileConnector } from './file/plugin'
import { generateConnector } from './generate/plugin'
import { hostConnector } from './host/plugin'
import { kafkaConnector } from './kafka/plugin'
import { stdoutConnector } from './stdout/plugin'
import { viewConnector } from './view/plugin'

/** Every connector of the product. There is no other place where one is made known. */
export const connectors: readonly Declaration[] = [
  ...kafkaConnector,
  ...clickhouseConnector,
  fileConnector,
  generateConnector,
  hostConnector,
  stdoutConnector,
  viewConnector,
]
