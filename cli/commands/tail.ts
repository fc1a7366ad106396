import { printEnvelope } from '../envelope'
import { EXIT } from '../exit_codes'
import type { Io } from '../io'
import { connectionOption, countOption } from '../option_values'
import { withPipeline } from '../session'
import { followTopic } from '../topic_reader'

export interface TailOptions {
  readonly data: string
  readonly from: 'beginning' | 'end'
  readonly limit?: string
  /** Only records whose key contains this text. */
  readonly key?: string
  readonly connection?: string
  readonly value?: string
  readonly json?: boolean
}

/**
 * `connect tail FILE TOPIC`: reads a topic with the format the pipeline gives it and prints a JSON object a record. Joins a group of
 * its own and commits nothing. With --key only records whose key contains it, and what cannot be read. Without a limit it goes on
 * until it is stopped; with --from beginning and a limit it also ends at the end.
 */
export function tail(file: string, topic: string, options: TailOptions, io: Io): Promise<number> {
  const limit = countOption('--limit', options.limit)
  return withPipeline(file, options.data, io, async open => {
    const rows: string[] = []
    let count = 0
    const reading = {
      connection: connectionOption(open.pipeline, 'kafka', options.connection).name,
      topic,
      from: options.from,
      value: options.value === undefined ? null : { format: options.value, config: {} },
      bounded: options.limit !== undefined && options.from === 'beginning',
    }
    const { key } = options
    await followTopic(open, reading, async text => {
      if (key !== undefined && !hasKey(text, key)) return true
      if (options.json) rows.push(text)
      else await io.out(`${text}\n`)
      return ++count < limit
    })
    if (options.json) {
      await printEnvelope(io, {
        command: 'tail',
        ok: true,
        summary: `${count} record(s)`,
        result: { records: rows.map(r => JSON.parse(r) as unknown) },
        error: null,
      })
    } else if (count === 0) await io.err('no records\n')
    return EXIT.ok
  })
}

/** A record that could not be read has no key here, and may be the one that is looked for. */
function hasKey(row: string, text: string): boolean {
  const { _key, _error } = JSON.parse(row) as { readonly _key?: string | null; readonly _error?: string }
  return _error !== undefined || (_key ?? '').includes(text)
}
