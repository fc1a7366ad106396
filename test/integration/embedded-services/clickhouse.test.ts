import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { createClient } from '@clickhouse/client'
import { libraryPath } from '../../../embedded/clickhouse/library'
import { cleanUp, folder, type Program, run } from './service'

const start = (data: string, ...more: string[]): Program => run('embedded/clickhouse/main.js', ['--data', data, ...more])

const query = async (url: string, sql: string): Promise<string> => {
  const client = createClient({ url })
  try {
    return (await (await client.query({ query: sql, format: 'TabSeparated' })).text()).trim()
  } finally {
    await client.close()
  }
}

describe('embedded ClickHouse', () => {
  afterEach(cleanUp)

  it('keeps acknowledged rows over SIGKILL', async () => {
    const data = folder()
    const first = start(data)
    const { address } = await first.next()
    const client = createClient({ url: address })
    await client.command({ query: 'CREATE DATABASE shop' })
    await client.command({ query: 'CREATE TABLE shop.orders (id UInt64) ENGINE = MergeTree ORDER BY id' })
    await client.insert({
      table: 'shop.orders',
      values: Array.from({ length: 1000 }, (_, id) => ({ id })),
      format: 'JSONEachRow',
    })
    await client.close()
    first.child.kill('SIGKILL')
    expect(await first.ended).toBe('SIGKILL')

    const second = start(data)
    expect(await query((await second.next()).address, 'SELECT count(), sum(id) FROM shop.orders')).toBe('1000\t499500')
  })

  it('answers with the formats that clients expect, on several connections, and on the native port', async () => {
    const { address, tcp } = await start(folder()).next()
    // The HTTP default stays TabSeparated.
    expect(await (await fetch(`${address}/?query=SELECT+1,'a'`)).text()).toBe('1\ta\n')
    const sums = await Promise.all([10, 20, 30].map(n => query(address, `SELECT sum(number) FROM numbers(${n})`)))
    expect(sums).toEqual(['45', '190', '435'])
    expect(await query(address, `SELECT * FROM remote('${tcp}', numbers(3)) ORDER BY number`)).toBe('0\n1\n2')
  })

  it.each(['SIGTERM', 'SIGINT'] as const)('exits 0 on %s while a query runs and a client holds a connection', async signal => {
    const clickhouse = start(folder())
    const { address } = await clickhouse.next()
    const slow = 'SELECT sleepEachRow(1) FROM numbers(60) SETTINGS max_block_size=1, function_sleep_max_microseconds_per_block=0'
    const cut = fetch(address, { method: 'POST', body: slow })
      .then(
        response => response.text(),
        () => 'cut off',
      )
      .catch(() => 'cut off')
    for (;;)
      if (
        (await query(
          address,
          "SELECT count() FROM system.processes WHERE query LIKE '%numbers(60)%' AND query NOT LIKE '%processes%'",
        )) === '1'
      )
        break
    clickhouse.child.kill(signal)
    expect(await clickhouse.ended).toBe(0)
    await cut
  })

  it('goes with its parent when asked to', async () => {
    const clickhouse = start(folder(), '--exit-with-parent')
    await clickhouse.next()
    clickhouse.child.stdin?.end()
    expect(await clickhouse.ended).toBe(0)
  })

  it('says who has the data folder', async () => {
    const data = folder()
    const { pid } = await start(data).next()
    const second = start(data)
    const said = await second.next()
    expect(said).toMatchObject({ event: 'failed', hint: expect.stringContaining(`stop process ${pid}`) })
    expect(said.message).toContain('Cannot lock file')
    expect(await second.ended).toBe(3)
  })

  it('says that a port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const clickhouse = start(folder(), '--port', String(port))
    expect(await clickhouse.next()).toMatchObject({ event: 'failed', message: expect.stringContaining(`port ${port}`) })
    expect(await clickhouse.ended).toBe(3)
    other.close()
  })

  it("loads libchdb and none of chdb's JavaScript", async () => {
    const clickhouse = run('embedded/clickhouse/main.js', ['--data', folder()], { NODE_DEBUG: 'module' })
    await clickhouse.next()
    const loaded = clickhouse
      .stderr()
      .split('\n')
      .filter(line => /MODULE \d+: load "/.test(line))
    expect(loaded.some(line => line.includes('ffi-rs'))).toBe(true)
    expect(loaded.filter(line => /node_modules\/(chdb|@chdb)\//.test(line))).toEqual([])
  })

  it('refuses unknown arguments and platforms', async () => {
    const clickhouse = start(folder(), '--prot', '8123')
    expect(await clickhouse.next()).toMatchObject({ event: 'failed', message: expect.stringContaining('--prot') })
    expect(await clickhouse.ended).toBe(2)
    expect(() => libraryPath('win32-x64')).toThrow('does not exist for win32-x64')
  })
})
