import type { PluginSpec, ViewSpec } from '../runtime/spec'
import type { Path } from './tree'

/**
 * The file as far as it could be read, to look for more mistakes in it: one value that is wrong hides nothing that does not follow from
 * it. Of a file without mistakes it holds all.
 */
export interface Draft {
  readonly flows: readonly FlowDraft[]
  readonly views: readonly ViewDraft[]
}

export interface FlowDraft {
  readonly name: string
  readonly lanes: number
  readonly source: StageDraft | null
  readonly transforms: readonly (StageDraft | null)[]
  readonly sink: StageDraft | null
}

export interface StageDraft {
  readonly spec: PluginSpec
  /** Options that could not be read and are left out of the config. */
  readonly lost: readonly Path[]
}

export interface ViewDraft {
  readonly name: string
  /** Null: not known. */
  readonly connection: string | null
  readonly windows: boolean
  /** Its keys and names of columns; null: not known. */
  readonly columns: Pick<ViewSpec, 'keys' | 'columns'> | null
}
