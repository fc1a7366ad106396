import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { inProcess } from '../../support/in_process'
import { fakeConnect, has, offered, type ShellName } from '../../support/shells'
import { testUnless } from '../../support/skip'
import { temporaryFolder } from '../../support/temporary_folder'

/** Completions, by the shells themselves. */

const folder = temporaryFolder()
const { path: cwd } = folder
folder.file('shop.yaml', '')
folder.file('shop.yml', '')
folder.file('shop.csv', '')
mkdirSync(path.join(cwd, 'shops'))
const bin = fakeConnect(cwd)
const script = async (shell: ShellName): Promise<string> => (await inProcess(['completion', shell])).out

describe.each(['bash', 'zsh', 'fish'] as const)('%s', shell => {
  const run = testUnless(has(shell) ? null : `there is no ${shell} on this machine`, `completions in ${shell}`)
  const offers = async (line: string): Promise<readonly string[]> =>
    [...offered(shell, line, { script: await script(shell), cwd, bin })].map(word => word.replace(/\/$/, '')).sort()

  run('reads its script without a word', async () => {
    const { status, stderr } = spawnSync(shell, ['-n', folder.file(`.script.${shell}`, await script(shell))], {
      encoding: 'utf8',
    })
    expect([status, stderr]).toEqual([0, ''])
  })

  run('commands', async () => {
    expect(await offers('connect ')).toEqual(expect.arrayContaining(['run', 'validate', 'status', 'tap', 'init', 'help']))
    expect(await offers('connect ru')).toEqual(['run'])
    expect(await offers('connect help va')).toEqual(['validate'])
    // what the scripts themselves ask is nothing for people
    expect(await offers('connect __')).toEqual([])
  })

  run('options of the command, and their values', async () => {
    expect(await offers('connect run --unt')).toEqual(['--until-caught-up'])
    expect(await offers('connect run --log-level ')).toEqual(['debug', 'error', 'info', 'warn'])
    expect(await offers('connect run shop.yaml --log-format j')).toEqual(['json'])
    expect(await offers('connect graph --format ')).toEqual(['dot', 'mermaid', 'text'])
    expect(await offers('connect validate --log')).toEqual([])
    expect(await offers('connect completion ')).toEqual(expect.arrayContaining(['bash', 'fish', 'zsh']))
    expect(await offers('connect completion f')).toEqual(['fish'])
    expect(await offers('connect tail shop.yaml orders --value av')).toEqual(['avro'])
  })

  run('names of plugins', async () => {
    expect(await offers('connect plugins cli')).toEqual(['clickhouse'])
    expect(await offers('connect plugins re')).toEqual(['rename'])
  })

  run('pipeline files and folders, for as many files as a command takes', async () => {
    const files = ['shop.yaml', 'shop.yml', 'shops']
    expect(await offers('connect run sho')).toEqual(files)
    expect(await offers('connect run --for 3s sho')).toEqual(files)
    expect(await offers('connect run shop.yaml shop.yml sho')).toEqual(expect.arrayContaining(['shops']))
    expect(await offers('connect sql sho')).toEqual(files)
    expect(await offers('connect run --data sho')).toEqual(['shops'])
    expect(await offers('connect init --path sho')).toEqual(['shop.csv', ...files])
  })

  run('what only a file or a worker knows is asked, with all that stands before', async () => {
    expect(await offers('connect schema shop.yaml ')).toContain('asked+__complete+--+schema+shop.yaml+')
    expect(await offers('connect schema --json shop.yaml ')).toContain('asked+__complete+--+schema+--json+shop.yaml+')
    expect(await offers('connect tail shop.yaml ')).toContain('asked+__complete+--+tail+shop.yaml+')
    expect(await offers('connect sql shop.yaml --connection ')).toContain('asked+__complete+--+sql+shop.yaml+--connection+')
    expect(await offers('connect tap ')).toContain('asked+__complete+--+tap+')
    expect(await offers('connect tap --data x ')).toContain('asked+__complete+--+tap+--data+x+')
    expect(await offers('connect tap a/b.sink ')).not.toContainEqual(expect.stringContaining('asked'))
  })

  run('an alias, as the README makes one, is asked like a program', async () => {
    const typing = { script: await script(shell), cwd, bin, alias: `${path.join(bin, 'connect')} as` }
    expect(offered(shell, 'connect schema shop.yaml ', typing)).toContain('asked+as+__complete+--+schema+shop.yaml+')
  })

  run("options where a text of one's own is expected", async () => {
    expect(await offers('connect sql shop.yaml --')).toEqual(expect.arrayContaining(['--connection', '--data', '--json']))
    expect(await offers('connect tail shop.yaml orders --f')).toEqual(['--from'])
  })
})

const shop = (): string =>
  folder.file(
    'whole.yaml',
    `name: shop
connections: {kafka: {brokers: k}, spare: {type: kafka, brokers: k}, clickhouse: {url: c}}
flows:
  make: {source: {type: generate}, sink: &out {type: kafka, topic: {name: orders}}}
  copy: {source: {type: kafka, topics: [orders, "$(touch bad)"]}, sink: {type: kafka, topic: copies}, on_error: {dead_letter: orders.dead}}
  load: {source: {type: kafka, topics: [copies]}, sink: {type: clickhouse, table: t}, on_error: {dead_letter: {topic: late.dead}}}
`,
  )

test.each([
  [
    ['schema', 'FILE', ''],
    ['make', 'copy', 'load'],
  ],
  [
    ['tail', 'FILE', ''],
    ['orders', 'copies', 'orders.dead', 'late.dead'],
  ],
  [
    ['tail', '--limit', '3', 'FILE', ''],
    ['orders', 'copies', 'orders.dead', 'late.dead'],
  ],
  [
    ['tail', 'FILE', '--connection', ''],
    ['kafka', 'spare'],
  ],
  [['sql', 'FILE', '--connection', ''], ['clickhouse']],
  [['sql', 'FILE', ''], []],
  [['schema', 'FILE', 'make', ''], []],
  [['schema', ''], []],
  [['nosuch', ''], []],
  [['tail'], []],
  [[], []],
])('%j', async (words, expected) => {
  const file = shop()
  const { code, out, err } = await inProcess(['__complete', '--', ...words.map(w => (w === 'FILE' ? file : w))])
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out.split('\n').filter(Boolean)).toEqual(expected)
})

test.each([
  ['half.yaml', 'flows: [a'],
  ['odd.yaml', 'flows: 5'],
  ['list.yaml', '- a'],
  ['empty.yaml', ''],
  ['none.yaml', 'flows: {a: }'],
])('of %s, which is not whole, nothing is offered', async (name, text) => {
  const file = folder.file(name, text)
  for (const command of ['tail', 'schema']) {
    const { code, err } = await inProcess(['__complete', '--', command, file, ''])
    expect({ code, err }).toEqual({ code: 0, err: '' })
  }
  expect((await inProcess(['__complete', '--', 'tail', cwd, ''])).out).toBe('')
  expect((await inProcess(['__complete', '--', 'tap', '--data', cwd, ''])).out).toBe('')
})
