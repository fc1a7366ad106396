import type { Declaration } from '../runtime/plugin'
import { derive } from './derive'
import { dropFields } from './drop_fields'
import { filter } from './filter'
import { rename } from './rename'

/** Every transform of the product. Formats have their own list in formats/index.ts. */
export const transforms: readonly Declaration[] = [filter, rename, derive, dropFields]
