import type { Declaration } from '../runtime/plugin'
import { cast } from './cast'
import { derive } from './derive'
import { dropFields } from './drop_fields'
import { filter } from './filter'
import { javascript } from './javascript'
import { rename } from './rename'
import { score } from './score/score'

/** Every transform of the product. Formats have their own list in formats/index.ts. */
export const transforms: readonly Declaration[] = [filter, rename, cast, derive, dropFields, javascript, score]
