import { z } from 'zod'

/** What every command prints with --json: one object on one line. The committed schema is generated from this. */
export const envelopeSchema = z.strictObject({
  command: z.string().describe('Name of the command.'),
  ok: z.boolean(),
  summary: z.string().describe('One sentence for a person.'),
  result: z.unknown().describe('What the command found or did; null if it failed before it had anything.'),
  error: z
    .strictObject({
      code: z.string().describe('A code of the error table.'),
      message: z.string(),
      hint: z.string(),
      problems: z
        .array(
          z.strictObject({
            code: z.string(),
            file: z.string(),
            line: z.int(),
            column: z.int(),
            path: z.string(),
            message: z.string(),
            hint: z.string(),
          }),
        )
        .optional()
        .describe('Every problem of a pipeline file, with its position.'),
    })
    .nullable(),
})
