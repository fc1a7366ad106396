import { connect } from 'node:net'
import type { ServiceName } from '../embedded/services_file'

const TIMEOUT_MS = 2_000

/** True when the service at this address answers a request of its own protocol. */
export function isHealthy(service: ServiceName, address: string): Promise<boolean> {
  switch (service) {
    case 'clickhouse':
      return answersHttp(`${address}/ping`)
    case 'schema_registry':
      return answersHttp(`${address}/schemas/types`)
    case 'kafka':
      return answersKafka(address)
  }
}

async function answersHttp(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}

/** ApiVersions (key 18) version 0, correlation id 1, no client id: the first thing any broker answers. */
const API_VERSIONS = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff])

function answersKafka(address: string): Promise<boolean> {
  const [host, port] = address.split(':')
  return new Promise(resolve => {
    const socket = connect({ host, port: Number(port), timeout: TIMEOUT_MS })
    const done = (healthy: boolean) => {
      resolve(healthy)
      socket.destroy()
    }
    let received = Buffer.alloc(0)
    socket.on('connect', () => socket.write(API_VERSIONS))
    socket.on('data', chunk => {
      received = Buffer.concat([received, chunk])
      // length, then the correlation id that was sent
      if (received.length >= 8) done(received.readInt32BE(4) === 1)
    })
    socket.on('timeout', () => done(false))
    socket.on('error', () => done(false))
    socket.on('close', () => done(false))
  })
}
