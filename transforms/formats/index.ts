import type { Declaration } from '../../runtime/plugin'
import { avro } from './avro'
import { bytes } from './bytes'
import { json } from './json'
import { string } from './string'

/** Every built-in format. */
export const formats: readonly Declaration[] = [avro, bytes, json, string]
