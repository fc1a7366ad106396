import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileConnector } from '../../../../connectors/file/plugin'
import { readSource } from '../../../support/local_source'
import { temporaryFolder } from '../../../support/temporary_folder'

/** What has been read belongs to the files: however `path` is written, none of their records is read twice. */

const { path: root } = temporaryFolder()
let folders = 0

const FILES = { 'data/a.csv': 'v\n1\n2\n', 'data/b.csv': 'v\n3\n', 'data/deep/c.csv': 'v\n4\n', 'more/a.csv': 'v\n5\n' }

function place(files: Readonly<Record<string, string>> = FILES) {
  const baseDir = path.join(root, `in-${folders}`)
  const where = { baseDir, dataDir: path.join(root, `data-${folders++}`) }
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(baseDir, name)), { recursive: true })
    writeFileSync(path.join(baseDir, name), content)
  }
  return where
}

type Where = ReturnType<typeof place>
const read = async (where: Where, options: object, from?: number): Promise<unknown[]> =>
  (await readSource(fileConnector, { schema: { v: 'i64' }, ...options }, { ...where, from })).rows.map(r => r.v)

describe('after data/*.csv was read', () => {
  test.each([
    ['data', []],
    ['./data/*.csv', []],
    ['data/', []],
    ['data/**', [4]],
    ['*/*.csv', [5]],
    ['**/*.csv', [4, 5]],
    [['data/a.csv', 'data/b.csv'], []],
    [['more', 'data'], [5]],
  ])('%j reads only what is new', async (changed, more) => {
    const where = place()
    expect(await read(where, { path: 'data/*.csv' })).toEqual([1, 2, 3])
    expect(await read(where, { path: changed })).toEqual(more)
    // as it was counted first, also by those who come back to the first spelling
    expect(await read(where, { path: changed }, 0)).toEqual([1, 2, 3, ...more])
    if (more.length === 0) expect(await read(where, { path: 'data/*.csv' })).toEqual([])
    appendFileSync(path.join(where.baseDir, 'data/a.csv'), '9\n')
    expect(await read(where, { path: changed })).toEqual([9])
  })

  test('an absolute path is the same path', async () => {
    const where = place()
    await read(where, { path: 'data/*.csv' })
    expect(await read(where, { path: path.join(where.baseDir, 'data') })).toEqual([])
  })

  test.each([
    ['more/*.csv', 'more/a.csv was read before and has become shorter'],
    ['data/a.csv', 'b.csv was read before and is not there any more'],
    ['data/deep', 'a.csv was read before and is not there any more'],
  ])('%s, which misses what was read, is refused', async (changed, message) => {
    const where = place()
    await read(where, { path: 'data/*.csv' })
    await expect(read(where, { path: changed })).rejects.toMatchObject({
      code: 'P001_POSITION_STOP',
      message: expect.stringMatching(new RegExp(`${message}$`)),
      hint: expect.stringContaining('or the path that leads to it'),
    })
    expect(await read(where, { path: 'data/*.csv' })).toEqual([])
  })
})

test('merge_by: the order of what was read stays, files of a wider path come after it', async () => {
  const where = place({ 'data/a.csv': 'v\n1\n5\n', 'data/b.csv': 'v\n2\n6\n', 'more/c.csv': 'v\n3\n4\n' })
  const merged = { merge_by: 'v' }
  expect(await read(where, { path: 'data/*.csv', ...merged })).toEqual([1, 2, 5, 6])
  expect(await read(where, { path: ['more', 'data'], ...merged })).toEqual([3, 4])
  expect(await read(where, { path: '**', ...merged }, 0)).toEqual([1, 2, 5, 6, 3, 4])
})

test('copies: where two files could be the one that was read, none is taken for it', async () => {
  const where = place({ 'data/a.csv': 'v\n1\n' })
  await read(where, { path: 'data/*.csv' })
  mkdirSync(path.join(where.baseDir, 'copy'))
  writeFileSync(path.join(where.baseDir, 'copy/a.csv'), 'v\n1\n')
  await expect(read(where, { path: '*/*.csv' })).rejects.toMatchObject({
    code: 'P001_POSITION_STOP',
    message: 'a.csv was read before and is there several times',
  })
})

test('another name of the set is refused, the same one is not', async () => {
  const where = place()
  await read(where, { path: 'data', name: 'first' })
  await expect(read(where, { path: 'data', name: 'second' })).rejects.toMatchObject({
    code: 'P001_POSITION_STOP',
    message: 'the files were read before as the set "first", now its name is "second"',
    hint: expect.stringContaining('set name: first'),
  })
  expect(await read(where, { path: 'data/*.csv', name: 'first' })).toEqual([])
  expect(await read(where, { path: 'data/*.csv' })).toEqual([])
})

test('a note that does not hold the name of the set yet: the position says it', async () => {
  const where = place()
  await read(where, { path: 'data/*.csv' })
  const positions = path.join(where.dataDir, 'positions')
  const [name] = readdirSync(positions, { recursive: true, encoding: 'utf8' }).filter(f => f.endsWith('.note.json'))
  const file = path.join(positions, name)
  const { set, ...before } = JSON.parse(readFileSync(file, 'utf8'))
  expect(set).toBe('data.csv')
  writeFileSync(file, JSON.stringify(before))
  expect(await read(where, { path: 'data' })).toEqual([])
  expect(JSON.parse(readFileSync(file, 'utf8')).set).toBe('data.csv')
  rmSync(path.join(where.baseDir, 'data/b.csv'))
  await expect(read(where, { path: 'data' })).rejects.toMatchObject({ code: 'P001_POSITION_STOP' })
})
