import type { Readable } from 'node:stream'

/** The process as commands see it; only `process_io.ts` makes one of the real process. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly stdin: Readable
  /** A person can be asked. */
  readonly inIsTerminal: boolean
  /** Resolve when the text is taken, so that a slow reader slows the writer. */
  out(text: string): Promise<void>
  err(text: string): Promise<void>
  readonly outIsTerminal: boolean
  readonly errIsTerminal: boolean
  /** Of the terminal at stderr, as it is now; 80 by 24 where there is none. */
  errSize(): { readonly columns: number; readonly rows: number }
  /** Calls back on SIGINT and SIGTERM until the returned function is called. */
  onSignal(callback: (signal: 'SIGINT' | 'SIGTERM') => void): () => void
  /** Ends the process at once. */
  exit(code: number): never
}
