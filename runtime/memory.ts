/**
 * Where the arrays of columns come from. A worker that moves a million rows a second touches a few hundred megabytes of fresh
 * memory in that time: each page is zeroed by the kernel on its first use and found again by the garbage collector long after it
 * has become free. So the memory of a batch is taken back when the batch is settled, and lent to the next one.
 */
export interface Memory {
  /** `length` bytes, not zeroed. */
  bytes(length: number): Buffer
  /** Zeroed arrays of `length` elements. */
  uint8(length: number): Uint8Array
  int32(length: number): Int32Array
  float32(length: number): Float32Array
  float64(length: number): Float64Array
}

/** Fresh memory that belongs to whoever asked, for as long as it is referenced. */
export const HEAP: Memory = {
  bytes: length => Buffer.allocUnsafeSlow(length),
  uint8: length => new Uint8Array(length),
  int32: length => new Int32Array(length),
  float32: length => new Float32Array(length),
  float64: length => new Float64Array(length),
}

/**
 * Memory that is lent and taken back. It is shared memory, though no other thread sees it: an ArrayBuffer counts as garbage to come,
 * and for every 32 MiB of them the engine of JavaScript marks its whole heap, six times in the first two seconds of a worker and
 * each time for nothing, a quarter of its CPU. So whoever holds some gives it back; what is only forgotten stays long.
 */
export const lendable = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes)

const SLAB_BYTES = 4 * 1024 * 1024
/** Smaller arrays are not worth a place in a slab. */
const LEAST_BYTES = 4096
const ALIGNMENT = 8
/** After so many uses the slabs that none of them needed are let go. */
const USES = 32

interface Slab {
  readonly buffer: SharedArrayBuffer
  /** Bytes from the start that were lent before and so are not zero. */
  used: number
}

/**
 * Memory for one batch at a time: slabs that are handed out from the start again after `release`. Whoever calls that says that
 * nothing of the batch is looked at any more.
 */
export class BatchMemory implements Memory {
  readonly #slabBytes: number
  #slabs: Slab[] = []
  #slab = 0
  #at = 0
  #uses = 0
  #most = 0

  constructor(slabBytes = SLAB_BYTES) {
    this.#slabBytes = slabBytes
  }

  bytes(length: number): Buffer {
    if (length < LEAST_BYTES) return HEAP.bytes(length)
    const { slab, offset } = this.#take(length)
    return Buffer.from(slab.buffer, offset, length)
  }

  uint8(length: number): Uint8Array {
    return length < LEAST_BYTES ? HEAP.uint8(length) : this.#zeroed(length, (b, at) => new Uint8Array(b, at, length))
  }

  int32(length: number): Int32Array {
    return length * 4 < LEAST_BYTES ? HEAP.int32(length) : this.#zeroed(length * 4, (b, at) => new Int32Array(b, at, length))
  }

  float32(length: number): Float32Array {
    return length * 4 < LEAST_BYTES ? HEAP.float32(length) : this.#zeroed(length * 4, (b, at) => new Float32Array(b, at, length))
  }

  float64(length: number): Float64Array {
    return length * 8 < LEAST_BYTES ? HEAP.float64(length) : this.#zeroed(length * 8, (b, at) => new Float64Array(b, at, length))
  }

  /** Overwrites all that was ever lent. */
  poison(): void {
    for (const { buffer, used } of this.#slabs) new Uint8Array(buffer, 0, used).fill(0xa5)
  }

  /** Takes everything back that was lent. */
  release(): void {
    this.#most = Math.max(this.#most, this.#slab + 1)
    this.#slab = 0
    this.#at = 0
    if (++this.#uses < USES) return
    this.#slabs.length = Math.min(this.#slabs.length, this.#most)
    this.#uses = 0
    this.#most = 0
  }

  #zeroed<T extends Uint8Array | Int32Array | Float32Array | Float64Array>(
    length: number,
    view: (buffer: SharedArrayBuffer, offset: number) => T,
  ): T {
    const { slab, offset, dirty } = this.#take(length)
    const array = view(slab.buffer, offset)
    if (dirty) array.fill(0)
    return array
  }

  #take(length: number): { readonly slab: Slab; readonly offset: number; readonly dirty: boolean } {
    let slab = this.#slabs[this.#slab]
    while (slab && this.#at + length > slab.buffer.byteLength) {
      this.#slab++
      this.#at = 0
      slab = this.#slabs[this.#slab]
    }
    if (!slab) {
      slab = { buffer: lendable(Math.max(this.#slabBytes, length)), used: 0 }
      this.#slabs[this.#slab] = slab
      this.#at = 0
    }
    const offset = this.#at
    this.#at = Math.ceil((offset + length) / ALIGNMENT) * ALIGNMENT
    const dirty = offset < slab.used
    slab.used = Math.max(slab.used, offset + length)
    return { slab, offset, dirty }
  }
}

/** Memory with several holders; the last one to release it gives it back to its owner. */
export interface Lease {
  retain(): void
  release(): void
}

/** The memories of a flow's batches. As many are kept as were ever in use at once. */
export class BatchMemories {
  readonly #poison: boolean
  readonly #free: BatchMemory[] = []
  #lent = 0

  /** `poison`: what comes back is overwritten, so that a test sees who still looks at it. */
  constructor(poison = false) {
    this.#poison = poison
  }

  /** Batches that hold memory now. */
  get lent(): number {
    return this.#lent
  }

  take(): BatchMemory {
    this.#lent++
    return this.#free.pop() ?? new BatchMemory()
  }

  /** Nothing of the batch is looked at any more. */
  give(memory: BatchMemory): void {
    this.#lent--
    if (this.#poison) memory.poison()
    memory.release()
    this.#free.push(memory)
  }

  /** The batch was not settled and somebody may still look at it: its memory is left to the garbage collector. */
  abandon(): void {
    this.#lent--
  }
}
