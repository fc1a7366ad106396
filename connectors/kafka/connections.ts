import type { ConsumerConfig, Kafka, PartitionAssigner } from 'kafkajs'
import { ConnectError } from '../../runtime/errors'
import { type Cluster, type Connection, type ConnectionPool, clusterOf } from './protocol'
import { atMost } from './waiting'

const CLOSE_MS = 5_000

/**
 * The connections of one cluster of kafkajs, with an end that it cannot undo. kafkajs connects again whenever something is asked:
 * by a start that was under way during the disconnect, by a consumer that wants to leave its group, by a retry when a broker
 * comes back. Its disconnect also waits for every answer that is still due, however long that takes.
 */
export class Connections {
  readonly #disconnect: () => Promise<void>
  /** Those that have been used and may still be open. */
  readonly #used = new Set<ConnectionPool>()
  #ended = false

  /** Must be made before the cluster connects for the first time. */
  constructor(cluster: Cluster) {
    this.#disconnect = cluster.disconnect.bind(cluster)
    const builder = cluster.connectionPoolBuilder
    const build = builder.build.bind(builder)
    builder.build = async where => {
      this.check()
      for (const pool of this.#used) if (pool.pool.every(c => c.socket?.destroyed ?? true)) this.#used.delete(pool)
      const pool = await build(where)
      const get = pool.getConnection.bind(pool)
      pool.getConnection = async index => {
        this.check()
        this.#used.add(pool)
        return get(index)
      }
      return pool
    }
  }

  /** Throws R003_ABORTED after the end. */
  check(): void {
    if (this.#ended) throw closed()
  }

  /** Disconnects, for at most `ms` in order, then by force. Whatever asks for a connection later gets R003_ABORTED. */
  async end(ms: number): Promise<void> {
    const disconnected = this.#disconnect()
    await atMost(ms, disconnected)
    this.#ended = true
    for (const { pool } of this.#used) for (const connection of pool) cut(connection)
    this.#used.clear()
    await atMost(ms, disconnected)
  }
}

function cut(connection: Connection): void {
  connection.rejectRequests(closed())
  // its timers
  connection.disconnect().catch(() => {})
  const { socket } = connection
  // only an error ends kafkajs's wait for a connection
  if (socket?.connecting) socket.destroy(closed())
  else socket?.destroy()
}

const closed = (): ConnectError => new ConnectError('R003_ABORTED', 'the connections to the brokers were closed')

/**
 * A cluster of one's own, not shared with a running consumer: what the factory of a consumer that never runs is given. Its
 * `disconnect` takes at most some seconds and is for good.
 */
export function ownCluster(kafka: Kafka, options: Pick<ConsumerConfig, 'metadataMaxAge'>): Cluster {
  let cluster: Cluster | undefined
  const assigner: PartitionAssigner = context => {
    cluster = clusterOf(context)
    return { name: 'none', version: 0, assign: async () => [], protocol: () => ({ name: 'none', metadata: Buffer.alloc(0) }) }
  }
  kafka.consumer({ ...options, groupId: 'unused', allowAutoTopicCreation: false, partitionAssigners: [assigner] })
  if (!cluster) throw new Error('kafkajs did not call the partition assigner: it is not the version this program was built with')
  const connections = new Connections(cluster)
  cluster.disconnect = () => connections.end(CLOSE_MS)
  return cluster
}
