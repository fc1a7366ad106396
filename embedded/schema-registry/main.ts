import { once } from 'node:events'
import { watchLifetime } from '../lifetime'
import { announceReady, EXIT, failService, holdFolder, listenError, parseServiceArgs } from '../service_main'
import { createRegistryServer } from './server'
import { RegistryStore } from './store'

async function main(): Promise<void> {
  const args = parseServiceArgs(process.argv.slice(2))
  let stop: () => void = () => process.exit(EXIT.ok)
  watchLifetime({ service: 'schema_registry', exitWithParent: args.exitWithParent, users: args.users }, () => stop())
  await holdFolder(args.data, 'the schema registry')
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

main().catch((error: unknown) => failService('schema_registry', error))
