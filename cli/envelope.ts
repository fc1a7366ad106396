import type { z } from 'zod'
import type { Problem } from '../config/problem'
import type { ConnectError } from '../runtime/errors'
import type { envelopeSchema } from './envelope_schema'
import { InvalidFiles } from './invalid_files'
import type { Io } from './io'

/** What every command prints with --json: see the schema. */
export type Envelope = z.output<typeof envelopeSchema>

export const printEnvelope = (io: Io, envelope: Envelope): Promise<void> => io.out(`${JSON.stringify(envelope)}\n`)

/** The error of an envelope; with every problem, where pipeline files have some. */
export const errorPart = (error: ConnectError): NonNullable<Envelope['error']> => ({
  code: error.code,
  message: error.message,
  hint: error.hint,
  ...(error instanceof InvalidFiles ? { problems: error.problems.map(problemPart) } : {}),
})

const problemPart = ({ code, file, line, column, path, message, hint }: Problem) => ({
  code,
  file,
  line,
  column,
  path,
  message,
  hint,
})
