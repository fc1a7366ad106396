import type { DetectorDeclaration } from '../../../runtime/plugin'
import { ewma } from './ewma'
import { novelty } from './novelty'
import { threshold } from './threshold'

/** Every detector of the product. */
export const detectors: readonly DetectorDeclaration[] = [ewma, novelty, threshold]
