import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** `runtime/README.md` leads a reader: each file it names is there, holds the names beside it, and none is left out. */

const root = path.resolve(__dirname, '../../..')
const text = readFileSync(path.join(root, 'runtime/README.md'), 'utf8')
const section = (title: string): string => text.split(`## ${title}\n`)[1].split('\n## ')[0]
const rows = (title: string): readonly string[] =>
  section(title)
    .split('\n')
    .filter(line => line.startsWith('| ') && !line.startsWith('| --'))
    .slice(1)
const names = (cell: string): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map(m => m[1])
const isFile = (name: string): boolean => name.endsWith('.ts')
const located = (file: string): string => path.join(root, file.includes('/') ? file : `runtime/${file}`)

const steps = section('The path of one record')
  .split('\n\n')
  .filter(block => block.startsWith('- **'))
  .flatMap(block => block.replace(/\n {2}/g, ' ').split('\n'))

test.each(steps)('%s', step => {
  const where = step.split('**: ')[1]
  expect(names(where).filter(isFile)).not.toHaveLength(0)
  // every name belongs to the last file before it
  let file = ''
  for (const name of names(where)) {
    if (isFile(name)) file = readFileSync(located(name), 'utf8')
    else expect(file).toMatch(new RegExp(`(function|class|const|async|^) ?${name}\\b|^ +(async )?${name}\\(`, 'm'))
  }
})

test('the file map names every file, and no other', () => {
  const named = rows('File map').flatMap(row => names(row.split(' | ')[0]))
  const found = readdirSync(path.join(root, 'runtime'), { withFileTypes: true })
    .filter(e => e.isDirectory() || isFile(e.name))
    .map(e => (e.isDirectory() ? `${e.name}/` : e.name))
  expect([...named].sort()).toEqual(found.sort())
  expect(named.every(name => existsSync(located(`runtime/${name}`)))).toBe(true)
})
