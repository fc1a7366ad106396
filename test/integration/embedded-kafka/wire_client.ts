import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { crc32c } from '@node-rs/crc32'

/** Writers of the protocol's primitives, for requests that no client library would send. */
export const w = {
  i8: (n: number) => Buffer.from([n & 0xff]),
  i16: (n: number) => {
    const b = Buffer.alloc(2)
    b.writeInt16BE(n)
    return b
  },
  i32: (n: number) => {
    const b = Buffer.alloc(4)
    b.writeInt32BE(n)
    return b
  },
  i64: (n: number | bigint) => {
    const b = Buffer.alloc(8)
    b.writeBigInt64BE(BigInt(n))
    return b
  },
  str: (s: string | null) => (s === null ? w.i16(-1) : Buffer.concat([w.i16(Buffer.byteLength(s)), Buffer.from(s)])),
  bytes: (b: Buffer) => Buffer.concat([w.i32(b.length), b]),
  array: (...items: Buffer[]) => Buffer.concat([w.i32(items.length), ...items]),
}

/** Reads a response from its start. */
export class Answer {
  readonly buffer: Buffer
  at = 0
  constructor(buffer: Buffer) {
    this.buffer = buffer
  }
  i8 = () => this.buffer.readInt8(this.#step(1))
  i16 = () => this.buffer.readInt16BE(this.#step(2))
  i32 = () => this.buffer.readInt32BE(this.#step(4))
  i64 = () => Number(this.buffer.readBigInt64BE(this.#step(8)))
  str = () => {
    const length = this.i16()
    return length < 0 ? null : this.buffer.toString('utf8', this.at, this.#step(length) + length)
  }
  bytes = () => {
    const length = this.i32()
    const at = this.#step(Math.max(0, length))
    return this.buffer.subarray(at, at + Math.max(0, length))
  }
  array = <T>(element: () => T): T[] => Array.from({ length: Math.max(0, this.i32()) }, element)
  #step(n: number): number {
    const at = this.at
    this.at += n
    return at
  }
}

const open = new Set<WireClient>()

/** Ends every connection, also those that a failed test left behind. */
export const endWireClients = (): void => {
  for (const client of open) client.end()
}

/** One connection that sends hand-made requests one at a time. */
export class WireClient {
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  closed = false

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', chunk => {
      this.#received = Buffer.concat([this.#received, chunk])
      socket.emit('more')
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      socket.emit('more')
    })
  }

  static async to(address: string): Promise<WireClient> {
    const [host, port] = address.split(':') as [string, string]
    const socket = connect(Number(port), host)
    await once(socket, 'connect')
    const client = new WireClient(socket)
    open.add(client)
    return client
  }

  /** The body of the answer; undefined if the broker closed the connection instead. */
  async send(key: number, version: number, ...body: Buffer[]): Promise<Answer | undefined> {
    const request = Buffer.concat([w.i16(key), w.i16(version), w.i32(7), w.str('wire'), ...body])
    this.#socket.write(Buffer.concat([w.i32(request.length), request]))
    for (;;) {
      if (this.#received.length >= 4) {
        const size = this.#received.readInt32BE(0)
        if (this.#received.length >= 4 + size) {
          const answer = new Answer(this.#received.subarray(8, 4 + size))
          this.#received = this.#received.subarray(4 + size)
          return answer
        }
      }
      if (this.closed) return undefined
      await once(this.#socket, 'more')
    }
  }

  end(): void {
    open.delete(this)
    this.#socket.destroy()
  }
}

export interface BatchFields {
  readonly values?: readonly string[]
  readonly producerId?: number
  readonly epoch?: number
  readonly sequence?: number
  readonly attributes?: number
  readonly timestamp?: number
  readonly magic?: number
}

/** A record batch v2 with one uncompressed record per value (fewer than 64 bytes each), all with one timestamp. */
export const recordBatch = (fields: BatchFields = {}): Buffer => {
  const { values = ['v'], producerId = -1, epoch = -1, sequence = -1, attributes = 0, timestamp = Date.now(), magic = 2 } = fields
  const records = values.map((value, i) => {
    const body = Buffer.concat([Buffer.from([0, 0, i * 2, 1, value.length * 2]), Buffer.from(value), Buffer.from([0])])
    return Buffer.concat([Buffer.from([body.length * 2]), body])
  })
  const after = Buffer.concat([
    w.i16(attributes),
    w.i32(values.length - 1),
    w.i64(timestamp),
    w.i64(timestamp),
    w.i64(producerId),
    w.i16(epoch),
    w.i32(sequence),
    w.i32(values.length),
    ...records,
  ])
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(crc32c(after))
  return Buffer.concat([w.i64(0), w.i32(after.length + 9), w.i32(-1), w.i8(magic), crc, after])
}

export interface Produced {
  readonly error: number
  readonly baseOffset: number
  readonly appendTime: number
}

/** Produce v7 of one batch into one partition. */
export const produceBatch = async (
  wire: WireClient,
  at: { readonly topic: string; readonly partition?: number; readonly transactionalId?: string; readonly acks?: number },
  batch: Buffer,
): Promise<Produced> => {
  const { topic, partition = 0, transactionalId = null, acks = -1 } = at
  const partitions = w.array(Buffer.concat([w.i32(partition), w.bytes(batch)]))
  const answer = await wire.send(
    0,
    7,
    w.str(transactionalId),
    w.i16(acks),
    w.i32(10_000),
    w.array(Buffer.concat([w.str(topic), partitions])),
  )
  if (answer === undefined) throw new Error('the broker closed the connection')
  const [results] = answer.array(() => {
    answer.str()
    return answer.array(() => {
      answer.i32()
      const result = { error: answer.i16(), baseOffset: answer.i64(), appendTime: answer.i64() }
      answer.i64()
      return result
    })
  })
  return results![0]!
}

export interface FetchOptions {
  readonly topic: string
  readonly offset: number
  readonly partition?: number
  readonly maxWaitMs?: number
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly partitionMaxBytes?: number
  readonly committed?: boolean
}

export interface FetchedPartition {
  readonly error: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly startOffset: number
  readonly aborted: readonly { readonly producerId: number; readonly firstOffset: number }[]
  readonly records: Buffer
}

/** Fetch v11 of one partition. */
export const fetchPartition = async (wire: WireClient, options: FetchOptions): Promise<FetchedPartition> => {
  const {
    topic,
    offset,
    partition = 0,
    maxWaitMs = 0,
    minBytes = 1,
    maxBytes = 1e7,
    partitionMaxBytes = 1e6,
    committed = false,
  } = options
  const partitions = w.array(Buffer.concat([w.i32(partition), w.i32(-1), w.i64(offset), w.i64(-1), w.i32(partitionMaxBytes)]))
  const head = [w.i32(-1), w.i32(maxWaitMs), w.i32(minBytes), w.i32(maxBytes), w.i8(committed ? 1 : 0), w.i32(0), w.i32(-1)]
  const answer = await wire.send(1, 11, ...head, w.array(Buffer.concat([w.str(topic), partitions])), w.array(), w.str(''))
  if (answer === undefined) throw new Error('the broker closed the connection')
  answer.at = 10
  const [results] = answer.array(() => {
    answer.str()
    return answer.array((): FetchedPartition => {
      answer.i32()
      const head = { error: answer.i16(), highWatermark: answer.i64(), lastStableOffset: answer.i64(), startOffset: answer.i64() }
      const aborted = answer.array(() => ({ producerId: answer.i64(), firstOffset: answer.i64() }))
      answer.i32()
      return { ...head, aborted, records: answer.bytes() }
    })
  })
  return results![0]!
}

/** InitProducerId v1; null for a producer without transactions. */
export const initProducer = async (
  wire: WireClient,
  transactionalId: string | null,
): Promise<{ error: number; producerId: number; epoch: number }> => {
  for (;;) {
    const answer = await wire.send(22, 1, w.str(transactionalId), w.i32(60_000))
    if (answer === undefined) throw new Error('the broker closed the connection')
    answer.i32()
    const result = { error: answer.i16(), producerId: answer.i64(), epoch: answer.i16() }
    // concurrent transactions, coordinator not available or loading: another broker may need a moment
    if (![14, 15, 16, 51].includes(result.error)) return result
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
