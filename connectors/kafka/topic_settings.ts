import type { Kafka } from 'kafkajs'
import { ConnectError, type ErrorCode } from '../../runtime/errors'
import { brokerAddresses, type KafkaConnection } from './connection'
import { ownCluster } from './connections'
import { API } from './protocol'
import { orAbort } from './waiting'

/** Settings of a topic that exists: what to do where they are not as asked for, and how they are changed. */

/** A setting with another value than the file asks for. */
export interface OtherSetting {
  readonly name: string
  readonly has: string
  readonly asked: string
}

export interface TopicDifference {
  readonly topic: string
  readonly brokers: KafkaConnection['brokers']
  readonly settings: readonly OtherSetting[]
  /** Partitions that are asked for, where the topic has fewer. */
  readonly partitions: number | null
  /** The file can say `on_difference: alter` of this topic. */
  readonly canAlter: boolean
}

/** What to do about it, with the commands of Apache Kafka to copy. */
export function differenceHint({ topic, brokers, settings, partitions, canAlter }: TopicDifference): string {
  const servers = brokerAddresses(brokers).join(',')
  const ways: string[] = []
  if (settings.length > 0 && canAlter) ways.push('add `on_difference: alter` to this topic in the file')
  if (settings.length > 0) {
    const list = settings.map(s => `${s.name}=${s.asked.includes(',') ? `[${s.asked}]` : s.asked}`).join(',')
    const where = `--entity-type topics --entity-name ${topic}`
    ways.push(`run \`kafka-configs --bootstrap-server ${servers} ${where} --alter --add-config '${list}'\``)
  }
  if (partitions !== null) {
    const command = `kafka-topics --bootstrap-server ${servers} --alter --topic ${topic} --partitions ${partitions}`
    ways.push(`run \`${command}\` (keys move to other partitions)`)
  }
  return [...ways, 'ask for what the topic has'].join(',\n  or ')
}

/** Seen by all versions of the request, from Kafka 2.3 on. */
const VERSION = 0
const TOPIC = 2
const SET = 0

const REFUSALS: Readonly<Record<number, ErrorCode>> = {
  3: 'K005_UNKNOWN_TOPIC',
  29: 'E007_AUTHORIZATION',
  31: 'E007_AUTHORIZATION',
  41: 'K004_KAFKA_BUSY',
}

/**
 * Sets these settings of a topic and no others (IncrementalAlterConfigs, KIP-339, which kafkajs does not speak: its own alterConfigs
 * would put back all that it does not name). Throws what the broker refuses.
 */
export async function alterSettings(
  kafka: Kafka,
  topic: string,
  settings: readonly OtherSetting[],
  signal: AbortSignal,
): Promise<void> {
  const cluster = ownCluster(kafka, {})
  try {
    const controller = async () => {
      await cluster.connect()
      await cluster.addMultipleTargetTopics([topic])
      return cluster.findControllerBroker()
    }
    const broker = await orAbort(controller(), signal)
    const payload = encodeAlter(topic, settings)
    let refusal: Refusal | null = null
    await broker.connectionPool.send({
      request: {
        apiKey: API.incrementalAlterConfigs,
        apiVersion: VERSION,
        apiName: 'IncrementalAlterConfigs',
        encode: async () => ({ buf: payload, buffer: payload }),
      },
      response: {
        async decode(raw) {
          refusal = decodeAlter(raw)
          return {}
        },
        parse: async data => data,
      },
    })
    refuse(refusal, topic)
  } finally {
    await cluster.disconnect()
  }
}

interface Refusal {
  readonly code: number
  readonly message: string
}

function refuse(refusal: Refusal | null, topic: string): void {
  if (refusal === null) return
  const { code, message } = refusal
  const told = `the broker does not change the settings of topic ${topic}: ${message || `code ${code}`}`
  throw new ConnectError(REFUSALS[code] ?? 'K003_KAFKA_ERROR', told, { stage: 'write' })
}

function encodeAlter(topic: string, settings: readonly OtherSetting[]): Buffer {
  return Buffer.concat([
    int32(1),
    Buffer.from([TOPIC]),
    string(topic),
    int32(settings.length),
    ...settings.flatMap(s => [string(s.name), Buffer.from([SET]), string(s.asked)]),
    Buffer.from([0]), // not only validated
  ])
}

function int32(n: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(n)
  return bytes
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text)
  const length = Buffer.alloc(2)
  length.writeInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** Throttle time, then the one topic: code and message. */
function decodeAlter(raw: Buffer): Refusal | null {
  const code = raw.readInt16BE(8)
  const length = raw.readInt16BE(10)
  return code === 0 ? null : { code, message: length > 0 ? raw.toString('utf8', 12, 12 + length) : '' }
}
