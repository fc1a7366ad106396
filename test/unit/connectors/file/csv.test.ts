import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { CsvFields, csvEnd } from '../../../../connectors/file/csv'
import { pagesOf } from '../../../../connectors/file/pages'

const COMMA = 44
const QUOTE = 34

/** Records of a text given in blocks of some size, as lists of fields; null for a record with wrong quotes. */
async function records(text: string | Buffer, blockSize = 1 << 16, maxRecord = 1 << 20): Promise<(string[] | null)[]> {
  const bytes = Buffer.from(text as string)
  async function* blocks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += blockSize) yield bytes.subarray(at, at + blockSize)
  }
  const fields = new CsvFields(COMMA, QUOTE)
  const out: (string[] | null)[] = []
  for await (const page of pagesOf(blocks(), { end: csvEnd(COMMA, QUOTE), maxRecord, firstLine: 1 })) {
    for (let i = 0; i < page.count; i++) {
      const good = fields.split(page.buffer, page.start[i], page.end[i])
      out.push(good ? Array.from({ length: fields.count }, (_, f) => fields.text(f)) : null)
    }
  }
  return out
}

test.each([
  [
    'plain',
    'a,b\nc,d\n',
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  ],
  ['no newline at the end', 'a,b', [['a', 'b']]],
  [
    'CRLF',
    'a,b\r\nc,d\r\n',
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  ],
  ['byte order mark', '\ufeffa,b\n', [['a', 'b']]],
  [
    'empty fields',
    ',\na,\n,b\n',
    [
      ['', ''],
      ['a', ''],
      ['', 'b'],
    ],
  ],
  ['quoted delimiter', '"a,b",c\n', [['a,b', 'c']]],
  [
    'quoted newline',
    '"a\nb",c\nd,e\n',
    [
      ['a\nb', 'c'],
      ['d', 'e'],
    ],
  ],
  ['quoted CRLF', '"a\r\nb",c\r\n', [['a\r\nb', 'c']]],
  ['doubled quotes', '"a ""b"" c","""",""\n', [['a "b" c', '"', '']]],
  [
    'quote inside an unquoted field',
    '5" disk,x\ny,z\n',
    [
      ['5" disk', 'x'],
      ['y', 'z'],
    ],
  ],
  [
    'blank lines',
    '\na,b\n\r\n\nc,d\n',
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  ],
  ['text after the closing quote', '"a"b,c\nd,e\n', [null, ['d', 'e']]],
  ['quote that is never closed', 'a,b\n"c,d\ne,f\n', [['a', 'b'], null]],
  ['beyond ASCII', 'é,"😀"\n', [['é', '😀']]],
])('%s', async (_, text, expected) => {
  for (const blockSize of [1, 2, 3, 1000]) expect(await records(text, blockSize)).toEqual(expected)
})

test('agrees with csv-parse on whatever can be written, in blocks of any size', async () => {
  const cell = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r\n', 'é', ' ', '\t'), maxLength: 8 }),
    fc.string(),
  )
  const quoted = (s: string): string => `"${s.replaceAll('"', '""')}"`
  const row = fc.array(fc.tuple(cell, fc.boolean()), { minLength: 2, maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 1, maxLength: 8 }),
      fc.constantFrom('\n', '\r\n'),
      fc.integer({ min: 1, max: 40 }),
      async (rows, end, blockSize) => {
        const text = rows.map(r => r.map(([s, q]) => (q || /[",\n\r]/.test(s) ? quoted(s) : s)).join(',')).join(end) + end
        const theirs: string[][] = parse(text, { relax_column_count: true, bom: true, record_delimiter: ['\n', '\r\n'] })
        expect(await records(text, blockSize)).toEqual(theirs)
        expect(theirs).toEqual(
          rows.map(r => r.map(([s]) => s)).map((r, i) => (i === 0 ? [r[0].replace(/^\ufeff/, ''), ...r.slice(1)] : r)),
        )
      },
    ),
    { numRuns: 300, seed: 7 },
  )
})

test('a record that is too long is cut at the limit, whatever the blocks, and the next line is read', async () => {
  const text = `a,b\n"${'x'.repeat(100)}\n${'y'.repeat(50)}",c\nd,e\n`
  const seen = new Set<string>()
  for (const blockSize of [1, 7, 64, 1000]) seen.add(JSON.stringify(await records(text, blockSize, 80)))
  expect(seen.size).toBe(1)
  const [all] = seen
  expect(JSON.parse(all).at(-1)).toEqual(['d', 'e'])
  expect(JSON.parse(all)[0]).toEqual(['a', 'b'])
})
