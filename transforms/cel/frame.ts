import type { Column } from '../../runtime/column'

/**
 * The fast evaluator: a kernel computes one node for many rows at once, over the column buffers. Where a row needs more than a
 * kernel can do exactly (an integer beyond 2^53, a division by zero, an error of a function), the kernel only marks it in
 * `bad`, and the whole expression is computed again for that row by the scalar evaluator, which decides.
 */
export interface Frame {
  readonly columns: readonly Column[]
  /** Physical rows to compute, ascending; null: rows 0 to count - 1. */
  readonly rows: Int32Array | null
  readonly count: number
  /** 1 where the result at that position is not to be trusted. */
  readonly bad: Uint8Array
}

/** 0 or 1 for each position of the frame. The buffer belongs to the kernel until its next run. */
export type MaskKernel = (frame: Frame) => Uint8Array

/** Doubles (ints within 2^53 exactly) and which are null, for each position. Same ownership. */
export interface Numbers {
  readonly values: Float64Array
  readonly nulls: Uint8Array | null
}
export type NumberKernel = (frame: Frame) => Numbers

/** A kernel that writes into its own buffer, grown as needed. */
export function scratchMask(fill: (out: Uint8Array, frame: Frame) => void): MaskKernel {
  let out = new Uint8Array(0)
  return frame => {
    if (out.length < frame.count) out = new Uint8Array(frame.count)
    fill(out, frame)
    return out
  }
}
