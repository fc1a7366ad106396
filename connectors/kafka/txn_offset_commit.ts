import type { Position } from '../../runtime/plugin'
import { byTopic } from './group_offsets'
import { API, type Broker } from './protocol'

/**
 * TxnOffsetCommit version 3 (KIP-447), which kafkajs does not speak: it carries member and generation, so that the group
 * coordinator refuses a worker that has lost its lanes, as it does for plain commits. Encoded by hand, with the compact strings
 * and tag buffers of flexible versions (KIP-482).
 */

export interface TransactionalCommit {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly epoch: number
  readonly group: { readonly id: string; readonly memberId: string; readonly generation: number }
  readonly positions: readonly Position[]
}

const VERSION = 3

/** Resolves with the error code of the first partition that has one, 0 if all are stored. */
export async function sendTxnOffsetCommit(broker: Broker, commit: TransactionalCommit): Promise<number> {
  const payload = encodeTxnOffsetCommit(commit)
  let code = 0
  await broker.connectionPool.send({
    request: {
      apiKey: API.txnOffsetCommit,
      apiVersion: VERSION,
      apiName: 'TxnOffsetCommit',
      encode: async () => ({ buf: payload, buffer: payload }),
    },
    response: {
      async decode(raw) {
        code = decodeTxnOffsetCommit(raw)
        return {}
      },
      parse: async data => data,
    },
  })
  return code
}

export function encodeTxnOffsetCommit(c: TransactionalCommit): Buffer {
  const out = new FlexibleWriter()
  out.tags() // of the request header: kafkajs writes a header without them in front of this
  out.string(c.transactionalId).string(c.group.id).int64(c.producerId).int16(c.epoch)
  out.int32(c.group.generation).string(c.group.memberId).nullString()
  const topics = byTopic(c.positions, p => p)
  out.length(topics.length)
  for (const { topic, partitions } of topics) {
    out.string(topic).length(partitions.length)
    for (const p of partitions) {
      out.int32(p.partition).int64(BigInt(p.offset)).int32(-1).string(p.metadata).tags()
    }
    out.tags()
  }
  return out.tags().bytes()
}

function decodeTxnOffsetCommit(raw: Buffer): number {
  let p = 1 // the tag buffer of the response header, always empty
  const varint = (): number => {
    let value = 0
    let shift = 0
    let byte: number
    do {
      byte = raw[p++]
      value |= (byte & 127) << shift
      shift += 7
    } while (byte > 127)
    return value
  }
  const skip = (bytes: number): void => {
    p += bytes
  }
  skip(4) // throttle time
  let found = 0
  for (let topics = varint() - 1; topics > 0; topics--) {
    skip(varint() - 1) // its name
    for (let n = varint() - 1; n > 0; n--) {
      skip(4)
      found ||= raw.readInt16BE(p)
      skip(2)
      skip(varint()) // no tags are defined
    }
    skip(varint())
  }
  return found
}

class FlexibleWriter {
  readonly #parts: Buffer[] = []

  int16(n: number): this {
    const b = Buffer.alloc(2)
    b.writeInt16BE(n)
    return this.#add(b)
  }
  int32(n: number): this {
    const b = Buffer.alloc(4)
    b.writeInt32BE(n)
    return this.#add(b)
  }
  int64(n: bigint): this {
    const b = Buffer.alloc(8)
    b.writeBigInt64BE(n)
    return this.#add(b)
  }
  /** Lengths are stored plus one; 0 is null. */
  length(n: number): this {
    return this.#unsigned(n + 1)
  }
  string(text: string): this {
    const b = Buffer.from(text)
    return this.length(b.length).#add(b)
  }
  nullString(): this {
    return this.#unsigned(0)
  }
  tags(): this {
    return this.#unsigned(0)
  }
  bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }
  #unsigned(n: number): this {
    const out: number[] = []
    let left = n
    for (; left > 127; left >>>= 7) out.push((left & 127) | 128)
    out.push(left)
    return this.#add(Buffer.from(out))
  }
  #add(b: Buffer): this {
    this.#parts.push(b)
    return this
  }
}
