import { watchLifetime } from '../lifetime'
import { announceReady, claimPort, EXIT, failService, parseServiceArgs } from '../service_main'
import { startEngine } from './engine'
import { exitNow } from './library'

async function main(): Promise<void> {
  const args = parseServiceArgs(process.argv.slice(2))
  let stop: () => void | Promise<void> = () => exitNow(EXIT.ok)
  watchLifetime({ service: 'clickhouse', exitWithParent: args.exitWithParent, users: args.users, exit: exitNow }, () => stop())
  const httpPort = await claimPort(args.port, "ClickHouse's HTTP interface")
  const tcpPort = await claimPort(args.tcpPort, "ClickHouse's native protocol")
  const engine = await startEngine({ data: args.data, httpPort, tcpPort })
  let stopping = false
  stop = async () => {
    stopping = true
    await engine.stop()
    exitNow(EXIT.ok)
  }
  void engine.ended.then(() => {
    if (!stopping) fail(new Error('the engine stopped by itself; its reason stands above'))
  })
  announceReady('clickhouse', `http://127.0.0.1:${httpPort}`, { tcp: `127.0.0.1:${tcpPort}` })
}

const fail = (error: unknown) => failService('clickhouse', error, exitNow)

main().catch(fail)
