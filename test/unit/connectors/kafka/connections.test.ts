import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Kafka } from 'kafkajs'
import { createClient } from '../../../../connectors/kafka/client'
import { Connections } from '../../../../connectors/kafka/connections'
import { type Cluster, clusterOf } from '../../../../connectors/kafka/protocol'
import { contextFor } from '../../../support/kafka'

/** A broker that takes connections and never answers: what kafkajs would wait for, and come back to. */
let server: Server
const sockets: Socket[] = []

beforeEach(async () => {
  server = createServer(socket => {
    sockets.push(socket.on('error', () => {}))
    socket.resume()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await new Promise(resolve => server.close(resolve))
})

const client = (): Kafka => createClient(contextFor(`127.0.0.1:${(server.address() as AddressInfo).port}`))

function clusterIn(kafka: Kafka): Cluster {
  let cluster: Cluster | undefined
  kafka.consumer({
    groupId: 'unused',
    partitionAssigners: [
      context => {
        cluster = clusterOf(context)
        return { name: 'none', version: 0, assign: async () => [], protocol: () => ({ name: 'none', metadata: Buffer.alloc(0) }) }
      },
    ],
  })
  return cluster as Cluster
}

test('the end does not wait for answers that do not come, and nothing connects again', async () => {
  const cluster = clusterIn(client())
  const connections = new Connections(cluster)
  const connecting = expect(cluster.connect()).rejects.toThrow('connections to the brokers were closed')
  await once(server, 'connection')
  const gone = once(sockets[0], 'close')
  await connections.end(20)
  await connecting
  await gone
  expect(() => connections.check()).toThrow(expect.objectContaining({ code: 'R003_ABORTED' }))
  await expect(cluster.connect()).rejects.toThrow('connections to the brokers were closed')
  expect(sockets).toHaveLength(1)
})

test('an end before anything was connected', async () => {
  const cluster = clusterIn(client())
  const connections = new Connections(cluster)
  await connections.end(20)
  await expect(cluster.connect()).rejects.toThrow('connections to the brokers were closed')
  expect(sockets).toHaveLength(0)
})
