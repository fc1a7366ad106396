import { createInterface } from 'node:readline/promises'
import { ConnectError } from '../runtime/errors'
import type { Io } from './io'

export interface Question {
  readonly text: string
  readonly standard?: string
  readonly choices?: readonly string[]
  /** Why an answer will not do; null: it will. */
  readonly problem?: (answer: string) => string | null
}

export interface Asker {
  ask(question: Question): Promise<string>
  close(): void
}

/** Asks on the terminal, again until the answer will do. Throws R003_ABORTED at the end of the input. */
export function createAsker(io: Io): Asker {
  const lines = createInterface({ input: io.stdin, terminal: false })
  const answers = lines[Symbol.asyncIterator]()
  return {
    async ask({ text, standard, choices, problem }) {
      for (;;) {
        const offered = choices ? ` (${choices.join(', ')})` : ''
        await io.err(`${text}${offered}${standard === undefined ? '' : ` [${standard}]`}: `)
        const { value, done } = await answers.next()
        if (done) throw new ConnectError('R003_ABORTED', 'the input has ended before every question was answered')
        const answer = value.trim() || standard || ''
        const wrong = choices && !choices.includes(answer) ? `expected ${choices.join(', ')}` : (problem?.(answer) ?? null)
        if (wrong === null) return answer
        await io.err(`  ${wrong}\n`)
      }
    },
    close: () => lines.close(),
  }
}
