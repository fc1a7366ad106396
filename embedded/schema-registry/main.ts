import { once } from 'node:events'
import path from 'node:path'
import { watchLifetime } from '../lifetime'
import { LockTimeout, withLock } from '../lock'
import { announceReady, EXIT, failService, listenError, parseServiceArgs, ServiceError } from '../service_main'
import { createRegistryServer } from './server'
import { RegistryStore } from './store'

async function main(): Promise<void> {
  const args = parseServiceArgs(process.argv.slice(2))
  let stop: () => void = () => process.exit(EXIT.ok)
  watchLifetime({ service: 'schema_registry', exitWithParent: args.exitWithParent, users: args.users }, () => stop())
  await holdFolder(args.data)
  const store = new RegistryStore(args.data)
  const server = createRegistryServer(store)
  server.listen(args.port, '127.0.0.1')
  await once(server, 'listening').catch((error: unknown) => {
    throw listenError(error as NodeJS.ErrnoException, args.port, 'the schema registry')
  })
  stop = () => {
    // Every change is in the file before it is answered, so an open request is all that could be lost.
    server.close(() => process.exit(EXIT.ok))
    server.closeIdleConnections()
    setTimeout(() => process.exit(EXIT.ok), 1_000)
  }
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the schema registry has no port')
  announceReady('schema_registry', `http://127.0.0.1:${address.port}`)
}

/** Takes the folder for as long as this process runs: two registries would write into one journal. */
async function holdFolder(data: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const held = () => {
      resolve()
      return new Promise<never>(() => {})
    }
    withLock(path.join(data, 'lock'), held, { timeoutMs: 0 }).catch((error: unknown) => {
      if (!(error instanceof LockTimeout)) return reject(error)
      const pid = error.holder?.pid
      reject(
        new ServiceError(
          `the schema registry folder ${data} is in use by process ${pid}`,
          `use that one, stop process ${pid}, or pass another --data`,
        ),
      )
    })
  })
}

main().catch((error: unknown) => failService('schema_registry', error))
