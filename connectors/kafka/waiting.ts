import { orAbort } from '../../runtime/retry'

/** Small helpers to wait with a way out. */

export { orAbort }

/** Resolves after `ms`, or rejects with the reason of the first signal that aborts. */
export async function pause(ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  try {
    await orAbort(
      new Promise<void>(resolve => {
        timer = setTimeout(resolve, ms)
      }),
      ...signals,
    )
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves with the operation or after `ms`, whichever is first; a failure is a result like any other. For closing. */
export async function atMost(ms: number, operation: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>(resolve => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([operation.then(noop, noop), late])
  clearTimeout(timer)
}

const noop = (): void => {}

/** A bell that any number of waiters can wait for. */
export class Bell {
  #waiting: (() => void)[] = []

  ring(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  /** Resolves at the next ring. */
  rung(): Promise<void> {
    return new Promise(resolve => {
      this.#waiting.push(resolve)
    })
  }

  /** Resolves at the next ring, at the latest after `ms`. */
  async within(ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      const finish = (): void => {
        clearTimeout(timer)
        this.#waiting = this.#waiting.filter(w => w !== finish)
        resolve()
      }
      const timer = setTimeout(finish, ms)
      this.#waiting.push(finish)
    })
  }
}
