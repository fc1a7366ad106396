import type { PartitionAssigner } from 'kafkajs'

/**
 * The parts of kafkajs that its own types leave out. kafkajs keeps connections, TLS, SASL, metadata, group membership and
 * heartbeats; we speak some requests ourselves (`API`), for which its request table is
 * the one import that is not its public interface. `partitionAssigners` is public and the only place where it hands out the
 * Cluster of a consumer.
 */

export interface Request {
  readonly apiKey: number
  readonly apiVersion: number
  readonly apiName: string
  expectResponse?(): boolean
  encode(): Promise<unknown>
}

export interface ProtocolCall {
  readonly request: Request
  readonly response: Response
  readonly requestTimeout?: number | null
  readonly logResponseError?: boolean
}

export interface Response<T = unknown> {
  decode(raw: Buffer): Promise<T>
  parse(data: T): Promise<T>
}

interface RequestDefinition {
  readonly versions: readonly (string | number)[]
  protocol(options: { readonly version: number }): unknown
}

export interface TopicOffsets {
  readonly topic: string
  readonly partitions: readonly { readonly partition: number; readonly offset: string; readonly metadata?: string | null }[]
}

export interface JoinRequest {
  readonly groupId: string
  readonly memberId: string
}

export interface JoinAnswer {
  readonly generationId: number
  readonly memberId: string
}

export interface FetchRequest {
  readonly maxWaitTime: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly isolationLevel: number
  readonly rackId: string
  readonly topics: readonly {
    readonly topic: string
    readonly partitions: readonly { readonly partition: number; readonly fetchOffset: string; readonly maxBytes: number }[]
  }[]
}

/** One socket to a broker, and the requests that wait for their answers. */
export interface Connection {
  readonly socket?: { readonly connecting: boolean; readonly destroyed: boolean; destroy(error?: Error): void }
  rejectRequests(error: Error): void
  /** Waits for the answers to all requests. */
  disconnect(): Promise<unknown>
}

/** Two connections to one broker; made without being connected. */
export interface ConnectionPool {
  readonly pool: readonly Connection[]
  /** Connects where it is not connected: every request comes through here. */
  getConnection(index?: number): Promise<Connection>
}

/** One broker. Methods throw kafkajs's errors. */
export interface Broker {
  readonly nodeId: number
  readonly connectionPool: { send(call: ProtocolCall): Promise<unknown> }
  /** What the broker speaks, by number of the request; null before it was asked. */
  readonly versions: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>> | null
  /** The newest version of a request that both sides speak, as a function from its arguments to the call. */
  lookupRequest(apiKey: number, definition: RequestDefinition): (payload: object) => ProtocolCall
  disconnect(): Promise<void>
  fetch(request: FetchRequest): Promise<{ readonly responses: readonly unknown[] }>
  joinGroup(request: JoinRequest & object): Promise<JoinAnswer>
  leaveGroup(request: JoinRequest): Promise<unknown>
  offsetCommit(request: object): Promise<unknown>
  offsetFetch(request: {
    readonly groupId: string
    readonly topics: readonly { readonly topic: string; readonly partitions: readonly { readonly partition: number }[] }[]
  }): Promise<{ readonly responses: readonly TopicOffsets[] }>
  initProducerId(request: {
    readonly transactionalId: string
    readonly transactionTimeout: number
  }): Promise<{ readonly producerId: string; readonly producerEpoch: number }>
  addPartitionsToTxn(request: object): Promise<unknown>
  addOffsetsToTxn(request: object): Promise<unknown>
  txnOffsetCommit(request: object): Promise<unknown>
  endTxn(request: object): Promise<unknown>
}

export interface PartitionMetadata {
  readonly partitionId: number
  readonly leader: number
  readonly partitionErrorCode: number
}

/** All brokers, as one client sees them. */
export interface Cluster {
  readonly connectionPoolBuilder: { build(where?: object): Promise<ConnectionPool> }
  readonly brokerPool: {
    /** Any broker that answers; connects if none does yet. */
    findConnectedBroker(): Promise<Broker>
    readonly metadata: {
      readonly clusterId?: string | null
      readonly topicMetadata: readonly { readonly topic: string; readonly partitionMetadata: readonly PartitionMetadata[] }[]
    } | null
  }
  connect(): Promise<void>
  disconnect(): Promise<void>
  refreshMetadata(): Promise<void>
  refreshMetadataIfNecessary(): Promise<void>
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>
  findBroker(where: { readonly nodeId: number }): Promise<Broker>
  findControllerBroker(): Promise<Broker>
  /** coordinatorType: 0 group, 1 transaction. */
  findGroupCoordinator(where: { readonly groupId: string; readonly coordinatorType?: 0 | 1 }): Promise<Broker>
  findTopicPartitionMetadata(topic: string): readonly PartitionMetadata[]
  fetchTopicsOffset(
    topics: readonly {
      readonly topic: string
      readonly partitions: readonly { readonly partition: number }[]
      readonly fromBeginning: boolean
    }[],
  ): Promise<readonly TopicOffsets[]>
  removeBroker(address: { readonly host: string; readonly port: number }): void
}

/** Numbers of the requests (https://kafka.apache.org/protocol#protocol_api_keys). */
export const API = {
  produce: 0,
  fetch: 1,
  metadata: 3,
  offsetCommit: 8,
  txnOffsetCommit: 28,
  incrementalAlterConfigs: 44,
} as const

const table: unknown = require('kafkajs/src/protocol/requests')

const hasRequests = (value: unknown): value is { readonly requests: Readonly<Record<string, RequestDefinition>> } =>
  typeof value === 'object' && value !== null && 'requests' in value

/** kafkajs's encoder and decoder of a request, by its name. */
export function requestDefinition(name: 'Produce' | 'Fetch' | 'Metadata' | 'OffsetCommit'): RequestDefinition {
  const definition = hasRequests(table) ? table.requests[name] : undefined
  if (!definition) throw new Error(`this kafkajs has no ${name} request: it is not the version this program was built with`)
  return definition
}

/** Asks, and resolves with the whole decoded answer: kafkajs's own calls throw the first error code in it and hide the rest. */
export async function ask(broker: Broker, api: number, name: 'Metadata' | 'OffsetCommit', payload: object): Promise<unknown> {
  const { request, response } = broker.lookupRequest(api, requestDefinition(name))(payload)
  return broker.connectionPool.send({ request, response: { decode: response.decode, parse: async data => data } })
}

/** kafkajs types the cluster it hands to assigners with less than it has. */
export const clusterOf = (context: Parameters<PartitionAssigner>[0]): Cluster => context.cluster as unknown as Cluster
