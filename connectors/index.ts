import type { Declaration } from '../runtime/plugin'
import { fileConnector } from './file/plugin'
import { generateConnector } from './generate/plugin'

/** Every connector of the product. There is no other place where one is made known. */
export const connectors: readonly Declaration[] = [fileConnector, generateConnector]
