import { setTimeout as delay } from 'node:timers/promises'

/** Asks until the answer is good, and gives it: for what no event tells. Throws after a deadline that only what hangs reaches. */
export async function until<T>(
  what: string,
  question: () => Promise<T> | T,
  good: (answer: T) => boolean = Boolean,
  deadline_ms = 60_000,
): Promise<T> {
  const end = Date.now() + deadline_ms
  for (;;) {
    const answer = await question()
    if (good(answer)) return answer
    if (Date.now() > end)
      throw new Error(`not within ${deadline_ms / 1000} s: ${what}; the last answer: ${JSON.stringify(answer)}`)
    await delay(50)
  }
}
