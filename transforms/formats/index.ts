import type { Declaration } from '../../runtime/plugin'
import { avro } from './avro'
import { bytes } from './bytes'
import { string } from './string'

/** Every built-in format. */
export const formats: readonly Declaration[] = [avro, bytes, string]
