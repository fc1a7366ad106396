import { execFileSync, spawnSync } from 'node:child_process'
import path from 'node:path'
import { inProcess } from '../../support/in_process'
import { temporaryFolder } from '../../support/temporary_folder'

/** Completions, by the shells themselves. */

const folder = temporaryFolder()
const cwd = path.dirname(folder.file('shop.yaml', ''))
const has = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0
const script = async (shell: string): Promise<string> => (await inProcess(['completion', shell])).out

/** What bash offers for the last word of a line. `connect` itself answers with its arguments. */
async function offers(line: string): Promise<readonly string[]> {
  const words = line.split(' ')
  const text = `${await script('bash')}
connect() { echo "asked:$*" | tr ' ' '_'; }
COMP_WORDS=(${words.map(w => `'${w}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_connect
printf '%s\\n' "\${COMPREPLY[@]}"`
  const out = execFileSync('bash', ['-c', text], { encoding: 'utf8', cwd })
  return out.split('\n').filter(Boolean)
}

const only = (shell: string) => (has(shell) ? test : test.skip)

describe('bash', () => {
  only('bash')('commands', async () => {
    expect(await offers('connect ')).toEqual(
      expect.arrayContaining(['run', 'validate', 'status', 'tap', 'init', 'help', '--version']),
    )
    expect(await offers('connect ru')).toEqual(['run'])
    expect(await offers('connect help va')).toEqual(['validate'])
  })

  only('bash')('options of the command, and their values', async () => {
    expect(await offers('connect run --unt')).toEqual(['--until-caught-up'])
    expect(await offers('connect run --log-level ')).toEqual(['debug', 'info', 'warn', 'error'])
    expect(await offers('connect run a.yaml --log-format j')).toEqual(['json'])
    expect(await offers('connect graph --format ')).toEqual(['mermaid', 'dot', 'text'])
    expect(await offers('connect validate --log')).toEqual([])
    expect(await offers('connect completion f')).toEqual(['fish', 'flows'])
  })

  only('bash')('names of plugins', async () => {
    expect(await offers('connect plugins cli')).toEqual(['clickhouse'])
    expect(await offers('connect plugins re')).toEqual(['rename'])
  })

  only('bash')('files and folders', async () => {
    expect(await offers('connect run sho')).toEqual(['shop.yaml'])
    expect(await offers('connect run --for 3s sho')).toEqual(['shop.yaml'])
    expect(await offers('connect run --data sho')).toEqual([])
  })

  only('bash')('flows of the file that was named, stages of what runs', async () => {
    expect(await offers('connect schema shop.yaml ')).toEqual(['asked:completion_flows_shop.yaml'])
    expect(await offers('connect schema --json shop.yaml ')).toEqual(['asked:completion_flows_shop.yaml'])
    expect(await offers('connect tap ')).toEqual(['asked:completion_stages_'])
    expect(await offers('connect tap --data x ')).toEqual(['asked:completion_stages_'])
  })
})

test.each(['bash', 'zsh', 'fish'])('%s reads its script without a word', async shell => {
  const text = await script(shell)
  expect(text).toContain('connect completion')
  if (!has(shell)) return console.log(`skipped: there is no ${shell}`)
  const read = spawnSync(shell, ['-n'], { input: text, encoding: 'utf8' })
  expect([read.status, read.stderr]).toEqual([0, ''])
})

test('flows of a file; none of one that is not whole', async () => {
  const file = folder.file('flows.yaml', 'flows:\n  ingest: {}\n  detect: {}\n')
  expect(await inProcess(['completion', 'flows', file])).toEqual({ code: 0, out: 'ingest\ndetect\n', err: '' })
  expect(await inProcess(['completion', 'flows', folder.file('half.yaml', 'flows: [a')])).toEqual({ code: 0, out: '', err: '' })
  expect(await inProcess(['completion', 'flows', path.join(cwd, 'none.yaml')])).toEqual({ code: 0, out: '', err: '' })
  expect(await inProcess(['completion', 'flows'])).toEqual({ code: 0, out: '', err: '' })
})
