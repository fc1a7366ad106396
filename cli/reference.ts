import type { Declaration } from '../runtime/plugin'
export const referencePage = (d: Declaration): string => d.description
