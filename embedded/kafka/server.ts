import { createServer, type Socket } from 'node:net'
import type { Broker } from './broker'
import { Connection } from './connection'

export interface Listener {
  readonly port: number
  /** Closes the port and every connection; resolves when none is left. */
  readonly close: () => Promise<void>
}

/** Accepts connections for the broker. Rejects with the system's error if the port is taken. */
export const listen = (broker: Broker, host: string, port: number): Promise<Listener> => {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    new Connection(socket, broker).start()
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      const address = server.address()
      if (address === null || typeof address === 'string') return reject(new Error('the listener has no port'))
      server.off('error', reject)
      server.on('error', error => broker.log(`listener: ${error.message}`))
      resolve({ port: address.port, close: () => closeAll() })
    })
    const closeAll = (): Promise<void> => {
      return new Promise(done => {
        server.close(() => done())
        for (const socket of sockets) socket.destroy()
      })
    }
  })
}
