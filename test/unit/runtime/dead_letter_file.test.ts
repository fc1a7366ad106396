import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { DeadLetterFile } from '../../../runtime/dead_letter_file'
import { ConnectError } from '../../../runtime/errors'
import type { DeadLetter } from '../../../runtime/plugin'
import { temporaryFolder } from '../../support/temporary_folder'

const { path: root } = temporaryFolder()
const { signal } = new AbortController()

const letter = (offset: number): DeadLetter => ({
  id: `t|0|${offset}`,
  pipeline: 'p',
  flow: 'f',
  stage: 'decode',
  plugin: 'json',
  error: new ConnectError('D001_MALFORMED', 'no "JSON"\n'),
  record: {
    topic: 't',
    partition: 0,
    offset,
    timestamp: offset === 1 ? -1 : 1234,
    key: null,
    value: Buffer.from([0, 255, 10]),
    headers: [
      ['h', Buffer.from('x')],
      ['h', null],
    ],
  },
})

const lines = (file: string): unknown[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))

test('each letter is a line with all it needs, and a later writer appends', async () => {
  const file = path.join(root, 'deep/er/dead.jsonl')
  for (const offset of [1, 2]) {
    const writer = new DeadLetterFile(file)
    await writer.open()
    await writer.write([letter(offset)], signal)
    await writer.close()
    await writer.close()
  }
  expect(lines(file)).toEqual(
    [1, 2].map(offset => ({
      id: `t|0|${offset}`,
      pipeline: 'p',
      flow: 'f',
      stage: 'decode',
      plugin: 'json',
      code: 'D001_MALFORMED',
      message: 'no "JSON"\n',
      topic: 't',
      partition: 0,
      offset,
      timestamp: offset === 1 ? null : 1234,
      key_base64: null,
      value_base64: 'AP8K',
      headers: [
        ['h', 'eA=='],
        ['h', null],
      ],
    })),
  )
})

test('half a line that a crash left does not swallow the next letter', async () => {
  const file = path.join(root, 'torn.jsonl')
  appendFileSync(file, '{"id":"t|0|0"}\n{"id":"t|')
  const writer = new DeadLetterFile(file)
  await writer.open()
  await writer.write([letter(3)], signal)
  await writer.close()
  const last = readFileSync(file, 'utf8').trimEnd().split('\n').at(-1)
  expect(JSON.parse(last!)).toMatchObject({ id: 't|0|3' })
})

test('what cannot be written is an error', async () => {
  mkdirSync(path.join(root, 'folder'))
  await expect(new DeadLetterFile(path.join(root, 'folder')).open()).rejects.toMatchObject({ code: 'C012_UNREADABLE_FILE' })
  const writer = new DeadLetterFile(path.join(root, 'x.jsonl'))
  await expect(writer.write([letter(1)], signal)).rejects.toMatchObject({ code: 'R001_INTERNAL' })
})
