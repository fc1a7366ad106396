import { isAlive, refOf } from '../../../embedded/processes'
import { cleanUp, folder, run } from './service'

interface Envelope {
  readonly command: string
  readonly ok: boolean
  readonly result: { readonly services: Readonly<Record<string, { readonly address: string; readonly pid: number }>> }
}

describe('connect dev', () => {
  afterEach(cleanUp)

  it('runs all services until a signal and prints where they are', async () => {
    const dev = run('cli/main.js', ['dev', '--data', folder(), '--json'])
    const { command, ok, result } = await dev.next<Envelope>()
    expect({ command, ok }).toEqual({ command: 'dev', ok: true })
    const { clickhouse, kafka, schema_registry } = result.services
    expect(await (await fetch(`${clickhouse!.address}/ping`)).text()).toBe('Ok.\n')
    expect(await (await fetch(`${schema_registry!.address}/subjects`)).json()).toEqual([])
    expect(kafka!.address).toMatch(/^127\.0\.0\.1:\d+$/)
    dev.child.kill('SIGINT')
    expect(await dev.ended).toBe(0)
    for (const { pid } of Object.values(result.services)) expect(isAlive(refOf(pid))).toBe(false)
  })
})
