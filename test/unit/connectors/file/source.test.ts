import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { fileConnector } from '../../../../connectors/file/plugin'
import { schemaText } from '../../../../runtime/schema'
import { readSource } from '../../../support/local_source'
import { temporaryFolder } from '../../../support/temporary_folder'

const { path: root } = temporaryFolder()
let folders = 0

/** A folder with these files, and one for positions. */
function place(files: Readonly<Record<string, string | Buffer>>): { readonly baseDir: string; readonly dataDir: string } {
  const baseDir = path.join(root, `in-${folders}`)
  const dataDir = path.join(root, `data-${folders++}`)
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(baseDir, name)), { recursive: true })
    writeFileSync(path.join(baseDir, name), content)
  }
  return { baseDir, dataDir }
}

const read = (config: object, where: ReturnType<typeof place>, options: { from?: number; limit?: number } = {}) =>
  readSource(fileConnector, config, { ...where, ...options })

const values = (rows: readonly Readonly<Record<string, unknown>>[], name: string): unknown[] => rows.map(r => r[name])

describe('what is read', () => {
  test('folders, patterns and lists, in name order, hidden files left out, each file once', async () => {
    const where = place({
      'b.csv': 'v\n3\n',
      'a.csv': 'v\n1\n2\n',
      '.c.csv': 'v\n9\n',
      'sub/d.csv': 'v\n4\n',
      'sub/deep/e.csv': 'v\n5\n',
      'f.txt': 'x',
    })
    const numbers = async (p: string | string[]) =>
      values(
        (await read({ path: p, schema: { v: 'i64' } }, { ...where, dataDir: path.join(root, `data-${folders++}`) })).rows,
        'v',
      )
    expect(await numbers('*.csv')).toEqual([1, 2, 3])
    expect(await numbers('**/*.csv')).toEqual([1, 2, 3, 4, 5])
    expect(await numbers('sub')).toEqual([4])
    expect(await numbers('?.csv')).toEqual([1, 2, 3])
    expect(await numbers(['b.csv', '*.csv', 'sub/*.csv'])).toEqual([3, 1, 2, 4])
    expect(await numbers('*/deep/*')).toEqual([5])
    await expect(read({ path: 'nothing-*.csv' }, where)).rejects.toMatchObject({ code: 'C012_UNREADABLE_FILE' })
  })

  test('gzip, tabs, NDJSON and CSV without header', async () => {
    const where = place({
      'a.tsv.gz': gzipSync('x\ty\n1\t"a\tb"\n'),
      'b.jsonl': '{"x": 2, "y": "c"}\r\n\n{"x": 3, "y": null}',
      'c.csv': '4,d\n',
    })
    const schema = { x: 'i64', y: 'utf8?' }
    expect((await read({ path: ['a.tsv.gz', 'b.jsonl'], schema }, where)).rows).toEqual([
      { x: 1, y: 'a\tb' },
      { x: 2, y: 'c' },
      { x: 3, y: null },
    ])
    const other = place({ 'c.csv': '4;d\n' })
    expect((await read({ path: 'c.csv', schema, csv: { header: false, delimiter: ';' } }, other)).rows).toEqual([
      { x: 4, y: 'd' },
    ])
  })

  test('added columns, and columns in another order or absent', async () => {
    const where = place({ 'one.v1.csv': 'a,b\n1,x\n', 'two.csv': 'b,a\n"y\nz",2\n,3\n', 'three.csv': 'a\n4\n' })
    const { rows } = await read(
      { path: '*.csv', schema: { a: 'i32', b: 'utf8?' }, columns: { name: 'file_name', stem: 'file_stem', n: 'line_number' } },
      where,
    )
    expect(rows).toEqual([
      { a: 1, b: 'x', name: 'one.v1.csv', stem: 'one.v1', n: 2 },
      { a: 4, b: null, name: 'three.csv', stem: 'three', n: 2 },
      { a: 2, b: 'y\nz', name: 'two.csv', stem: 'two', n: 2 },
      { a: 3, b: null, name: 'two.csv', stem: 'two', n: 4 },
    ])
  })

  test('every type, and the event time as the timestamp of the record', async () => {
    const where = place({
      'a.csv':
        't,d,b,i,l,f,u,dec,j,time,s\n2024-02-29 12:00:00.5,2024-02-29,TRUE,-5,9223372036854775807,1e-3,0F0E0D0C-0000-0000-0000-000000000001,-1.50,"{""k"":[1]}",23:59:59.25,red\n',
    })
    const schema = {
      t: 'timestamp(us)',
      d: 'date',
      b: 'bool',
      i: 'i32',
      l: 'i64',
      f: 'f32',
      u: 'uuid',
      dec: 'decimal(10, 2)',
      j: 'json',
      time: 'time(ms)',
      s: 'dictionary',
    }
    const { rows, blocks } = await read({ path: 'a.csv', schema, time: 't' }, where)
    expect(rows[0]).toMatchObject({
      t: '2024-02-29T12:00:00.500000Z',
      d: '2024-02-29',
      b: true,
      i: -5,
      u: '0f0e0d0c-0000-0000-0000-000000000001',
      dec: '-1.50',
      j: { k: [1] },
      time: '23:59:59.250',
      s: 'red',
    })
    const [long] = blocks[0].columns.slice(4)
    expect(long.layout === 'i64' && long.bigint(0)).toBe(9223372036854775807n)
    expect(blocks[0].timestamp[0]).toBe(Date.UTC(2024, 1, 29, 12, 0, 0, 500))
  })

  test('time zones and epochs', async () => {
    const where = place({ 'a.csv': 't\n2024-07-01 00:00:00\n1719792000\n' })
    const { rows } = await read({ path: 'a.csv', schema: { t: 'timestamp(ms)' }, timezone: 'Europe/Berlin', epoch: 's' }, where)
    expect(values(rows, 't')).toEqual(['2024-06-30T22:00:00.000Z', '2024-07-01T00:00:00.000Z'])
  })
})

describe('types from the first records', () => {
  const inferred = async (files: Readonly<Record<string, string>>, options: object = {}) =>
    schemaText((await read({ path: '*', ...options }, place(files))).schema!)

  test('CSV', async () => {
    const csv =
      'int,float,mixed,bool,ts,us,date,text,zip,empty,some\n1,1.5,1,true,2024-01-01 00:00:00,2024-01-01T00:00:00.123456Z,2024-01-01,x,007,,\n-2,2,2.5,FALSE,2024-01-02 00:00:00,2024-01-01T00:00:01Z,2024-01-02,1,123,,5\n'
    expect(await inferred({ 'a.csv': csv })).toBe(
      'int: i64, float: f64, mixed: f64, bool: bool, ts: timestamp(ms), us: timestamp(us), date: date, text: utf8, zip: utf8, empty: utf8?, some: i64?',
    )
  })

  test('NDJSON', async () => {
    const lines = [
      '{"i":1,"f":1,"s":"x","t":"2024-01-01T00:00:00Z","o":{"a":1},"m":1,"n":null}',
      '{"i":2,"f":0.5,"s":"1","t":"2024-01-01T00:00:00Z","o":[1],"m":"x","b":true}',
    ]
    expect(await inferred({ 'a.ndjson': lines.join('\n') })).toBe(
      'i: i64, f: f64, s: utf8, t: timestamp(ms), o: json, m: json, n: utf8?, b: bool?',
    )
  })

  test('all files count, so that an integer in the first does not refuse a fraction in the second', async () => {
    expect(await inferred({ 'a.csv': 'v\n1\n', 'b.csv': 'v\n0.5\n', 'c.csv': 'v,w\n1,1\n' })).toBe('v: f64, w: i64?')
  })

  test('what the sample did not show is rejected, and the schema stays when files are added', async () => {
    const where = place({ 'a.csv': 'v\n1\n2\n0.5\n' })
    const config = { path: '*.csv', infer: { rows: 2 } }
    const first = await read(config, where)
    expect(first.rejected).toMatchObject([{ offset: 2, code: 'D006_WRONG_TYPE' }])
    writeFileSync(path.join(where.baseDir, 'b.csv'), 'v\nx\n7\n')
    const second = await read(config, where)
    expect(schemaText(second.schema!)).toBe('v: i64')
    expect(second.rows).toEqual([{ v: 7 }])
  })
})

describe('bad records', () => {
  test('each is rejected with its reason, its bytes and its place, and the rest arrives', async () => {
    const lines = [
      'a,b,c',
      '1,x,2024-01-01',
      'one,x,2024-01-01',
      '2,x',
      '3,x,2024-01-01,more',
      ',x,2024-01-01',
      '4,"x"y,2024-01-01',
      '5,x,2023-02-29',
      '99999999999,x,2024-01-01',
      '6,\xff,2024-01-01',
      '7,é,2024-01-01',
    ]
    const where = place({ 'a.csv': Buffer.concat(lines.map(l => Buffer.from(`${l}\n`, l.includes('\xff') ? 'latin1' : 'utf8'))) })
    const { rows, rejected, blocks } = await read({ path: 'a.csv', schema: { a: 'i32', b: 'utf8', c: 'date' } }, where)
    expect(values(rows, 'a')).toEqual([1, 7])
    expect(rejected.map(r => [r.offset, r.code])).toEqual([
      [1, 'D006_WRONG_TYPE'],
      [2, 'D001_MALFORMED'],
      [3, 'D001_MALFORMED'],
      [4, 'D004_MISSING_FIELD'],
      [5, 'D001_MALFORMED'],
      [6, 'D006_WRONG_TYPE'],
      [7, 'D005_OUT_OF_RANGE'],
      [8, 'D001_MALFORMED'],
    ])
    expect(rejected[0].raw).toBe('one,x,2024-01-01')
    expect(rejected[0].message).toContain('a:')
    expect(blocks[0].raw(1).headers.map(([name, v]) => [name, String(v)])).toEqual([
      ['file', path.join(where.baseDir, 'a.csv')],
      ['line', '3'],
    ])
  })

  test('NDJSON', async () => {
    const lines = [
      '{"a":1}',
      '{"a":1',
      '[1]',
      '{"a":"1"}',
      '{}',
      '{"a":1,"z":0}',
      '{"a":1.5}',
      '{"a":9007199254740993}',
      '{"a":7}',
    ]
    const { rows, rejected } = await read({ path: 'a.ndjson', schema: { a: 'i64' } }, place({ 'a.ndjson': lines.join('\n') }))
    expect(values(rows, 'a')).toEqual([1, 1, 7])
    expect(rejected.map(r => r.code)).toEqual([
      'D001_MALFORMED',
      'D001_MALFORMED',
      'D004_MISSING_FIELD',
      'D013_UNKNOWN_FIELD',
      'D005_OUT_OF_RANGE',
      'D005_OUT_OF_RANGE',
    ])
    const ignoring = await read(
      { path: 'a.ndjson', schema: { a: 'i64' }, unknown_fields: 'ignore' },
      place({ 'a.ndjson': '{"a":1,"z":0}' }),
    )
    expect(ignoring.rows).toEqual([{ a: 1 }])
  })

  test('digits beyond the unit are not cut off', async () => {
    const { rejected } = await read(
      { path: 'a.csv', schema: { t: 'timestamp(ms)' } },
      place({ 'a.csv': 't\n2024-01-01T00:00:00.1234Z\n' }),
    )
    expect(rejected).toMatchObject([{ code: 'D005_OUT_OF_RANGE' }])
  })

  test('a record over the limit', async () => {
    const { rows, rejected } = await read(
      { path: 'a.csv', schema: { v: 'utf8' }, max_record: '1kB' },
      place({ 'a.csv': `v\na\n${'x'.repeat(5000)}\nb\n` }),
    )
    expect(rows).toEqual([{ v: 'a' }, { v: 'b' }])
    expect(rejected).toMatchObject([{ offset: 1, code: 'D011_TOO_LARGE' }])
  })

  test('a damaged gzip file stops the flow', async () => {
    const whole = gzipSync(`v\n${Array.from({ length: 50_000 }, (_, i) => i).join('\n')}\n`)
    const where = place({ 'a.csv.gz': whole.subarray(0, whole.length / 2) })
    await expect(read({ path: 'a.csv.gz', schema: { v: 'i64' } }, where)).rejects.toMatchObject({ code: 'D001_MALFORMED' })
  })
})

describe('what cannot go together is refused before the first record', () => {
  test.each([
    ['a column the schema has not', { 'a.csv': 'a,b\n1,2\n' }, { schema: { a: 'i64' } }, 'C015_UNKNOWN_COLUMN'],
    ['a column the file has not', { 'a.csv': 'a\n1\n' }, { schema: { a: 'i64', b: 'i64' } }, 'C015_UNKNOWN_COLUMN'],
    ['a name twice in the header', { 'a.csv': 'a,a\n1,2\n' }, {}, 'C016_SCHEMA'],
    ['a type text has no form for', { 'a.csv': 'a\n1\n' }, { schema: { a: 'list<i64>' } }, 'C016_SCHEMA'],
    ['an added column of a name that is there', { 'a.csv': 'a\n1\n' }, { columns: { a: 'file_name' } }, 'C016_SCHEMA'],
    ['merge_by text', { 'a.csv': 'a\nx\n' }, { merge_by: 'a' }, 'C020_TYPE_MISMATCH'],
    ['merge_by a column that is not there', { 'a.csv': 'a\nx\n' }, { merge_by: 'b' }, 'C015_UNKNOWN_COLUMN'],
    ['time that is no timestamp', { 'a.csv': 'a\n1\n' }, { time: 'a' }, 'C020_TYPE_MISMATCH'],
    ['a name that says nothing', { 'a.dat': 'a\n1\n' }, { path: '*' }, 'C005_INVALID_VALUE'],
  ])('%s', async (_, files, options, code) => {
    await expect(read({ path: '*.csv', ...options }, place(files as Record<string, string>))).rejects.toMatchObject({ code })
  })
})

describe('merge_by', () => {
  test('puts the records of all files into one order, equal ones in the order of the files', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 30 }), { minLength: 1, maxLength: 6 }),
        async files => {
          const sorted = files.map(f => [...f].sort((a, b) => a - b))
          const where = place(Object.fromEntries(sorted.map((f, i) => [`${i}.csv`, `k\n${f.map(v => `${v}\n`).join('')}`])))
          const { rows } = await read({ path: '*.csv', schema: { k: 'i64' }, columns: { f: 'file_stem' }, merge_by: 'k' }, where)
          const expected = sorted
            .flatMap((f, i) => f.map(k => ({ k, f: String(i) })))
            .sort((a, b) => a.k - b.k || Number(a.f) - Number(b.f))
          expect(rows).toEqual(expected)
        },
      ),
      { numRuns: 60, seed: 11 },
    )
  })

  test('a file out of order is refused, or kept in its own order', async () => {
    const files = { 'a.csv': 'k\n1\n5\n3\n6\n', 'b.csv': 'k\n4\n' }
    const config = { path: '*.csv', schema: { k: 'i64' }, merge_by: 'k' }
    await expect(read(config, place(files))).rejects.toMatchObject({
      code: 'D001_MALFORMED',
      message: expect.stringContaining('a.csv:4'),
    })
    expect(values((await read({ ...config, unsorted: 'keep' }, place(files))).rows, 'k')).toEqual([1, 4, 5, 3, 6])
  })

  test('a record without a readable key stays in its place and is rejected', async () => {
    const { rows, rejected } = await read(
      { path: '*.csv', schema: { k: 'i64' }, merge_by: 'k' },
      place({ 'a.csv': 'k\n1\nx\n3\n', 'b.csv': 'k\n2\n' }),
    )
    expect(values(rows, 'k')).toEqual([1, 2, 3])
    expect(rejected).toMatchObject([{ offset: 1, raw: 'x' }])
  })
})

describe('positions', () => {
  const config = { path: '*.csv', schema: { v: 'i64' }, columns: { line: 'line_number' } }

  test('what is appended and what is new comes after what was read, and nothing twice', async () => {
    const where = place({ 'a.csv': 'v\n1\n2\n', 'b.csv': 'v\n3' })
    expect(values((await read(config, where)).rows, 'v')).toEqual([1, 2, 3])
    expect((await read(config, where)).rows).toEqual([])
    appendFileSync(path.join(where.baseDir, 'a.csv'), '4\n')
    appendFileSync(path.join(where.baseDir, 'b.csv'), '\n5\n')
    writeFileSync(path.join(where.baseDir, '0.csv'), 'v\n6\n')
    const more = await read(config, where)
    expect(more.rows).toEqual([
      { v: 6, line: 2 },
      { v: 4, line: 4 },
      { v: 5, line: 3 },
    ])
    expect(more.offsets).toEqual([3, 4, 5])
    // the whole again: the same order as it was read in
    expect(values((await read(config, where, { from: 0 })).rows, 'v')).toEqual([1, 2, 3, 6, 4, 5])
  })

  test('what is appended while the first part is still being read does not move it', async () => {
    const rows = Array.from({ length: 20_000 }, (_, i) => i)
    const where = place({ 'a.csv': `v\n${rows.slice(0, 10_000).join('\n')}\n`, 'b.csv': `v\n${rows.slice(10_000).join('\n')}\n` })
    const first = await read(config, where, { limit: 8000 })
    appendFileSync(path.join(where.baseDir, 'a.csv'), '20000\n')
    const rest = await read(config, where)
    expect(values([...first.rows, ...rest.rows], 'v')).toEqual([...rows, 20_000])
  })

  test.each([
    ['changed', (file: string) => writeFileSync(file, 'v\n9\n2\n')],
    ['shortened', (file: string) => writeFileSync(file, 'v\n1\n')],
    ['removed', (file: string) => rmSync(file)],
    ['continued in the middle of a line', (file: string) => appendFileSync(file, '7\n')],
  ])('a file that was %s stops the flow', async (_, change) => {
    const where = place({ 'a.csv': 'v\n1\n2', 'b.csv': 'v\n3\n' })
    await read(config, where)
    change(path.join(where.baseDir, 'a.csv'))
    await expect(read(config, where)).rejects.toMatchObject({ code: 'P001_POSITION_STOP' })
  })

  test('settings that count in another way stop the flow; other types do not', async () => {
    const where = place({ 'a.csv': 'v\n1\n2\n' })
    await read(config, where)
    await expect(read({ ...config, merge_by: 'v' }, where)).rejects.toMatchObject({ code: 'P001_POSITION_STOP' })
    expect((await read({ ...config, schema: { v: 'f64' } }, where, { from: 1 })).rows).toEqual([{ v: 2, line: 3 }])
  })

  test('a position that this data folder knows nothing of is refused, also the second time', async () => {
    const where = place({ 'a.csv': 'v\n1\n2\n' })
    for (let i = 0; i < 2; i++)
      await expect(read(config, where, { from: 1 })).rejects.toMatchObject({ code: 'P001_POSITION_STOP' })
    expect((await read(config, where)).rows).toHaveLength(2)
    await expect(read(config, where, { from: 3 })).rejects.toMatchObject({ code: 'P001_POSITION_STOP' })
  })

  test('a moved folder is the same folder', async () => {
    const files = { 'a.csv': 'v\n1\n2\n' }
    const here = place(files)
    await read(config, here)
    expect((await read(config, { ...here, baseDir: place(files).baseDir })).rows).toEqual([])
  })
})
