import type { Status } from '../../runtime/status'
import type { Io } from '../io'
import { statusLines } from './lines'
import { canRedraw, Screen, wantsColor } from './screen'

export interface LiveTable {
  /** Writes above the table. */
  readonly io: Io
  close(leave?: 'nothing' | 'picture'): Promise<void>
}

/** The live table at the foot of a terminal, and an Io that writes above it. Null where there is no terminal to draw on. */
export function liveTable(io: Io, status: () => Status | null): LiveTable | null {
  if (!canRedraw(io)) return null
  const color = wantsColor(io)
  const screen = new Screen({
    write: io.err,
    size: io.errSize,
    lines: size => {
      const now = status()
      return now && now.flows.length > 0 ? statusLines(now, { ...size, color }) : []
    },
  })
  return {
    io: {
      ...io,
      err: text => screen.above(text),
      out: text => (io.outIsTerminal ? screen.above(text, io.out) : io.out(text)),
    },
    close: leave => screen.close(leave),
  }
}
