import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { ErrorCode, ProtocolError } from '../errors'
import { FileHandles } from '../log/file_handles'
import { PartitionLog } from '../log/partition_log'
import type { StateEvent } from '../state'
import { checkTopicConfig, type TopicSettings, topicSettings } from './topic_config'

/** Names as Kafka allows them. */
const LEGAL_NAME = /^[a-zA-Z0-9._-]{1,249}$/
/** More partitions in one request are a slip; each is a folder and a file. */
const MAX_PARTITIONS = 10_000
/** Characters of the topic's name in its folder's name, which must stay under 255 with the id. */
const NAME_IN_FOLDER = 100

export interface Topic {
  readonly name: string
  /** 32 hex digits, drawn when the topic is made: a topic made again has another one. */
  readonly id: string
  readonly configs: Readonly<Record<string, string>>
  readonly settings: TopicSettings
  readonly partitions: readonly PartitionLog[]
}

interface StoredTopic {
  readonly name: string
  readonly id: string
  readonly partitions: number
  readonly configs: Readonly<Record<string, string>>
}

interface LiveTopic extends Topic {
  configs: Readonly<Record<string, string>>
  settings: TopicSettings
  readonly partitions: PartitionLog[]
}

/** The topics, their configs and the logs of their partitions. Each change is recorded before it is done. */
export class Topics {
  readonly #root: string
  readonly #record: (event: StateEvent) => void
  readonly #files = new FileHandles()
  readonly #stored = new Map<string, StoredTopic>()
  readonly #logStarts = new Map<string, Map<number, number>>()
  readonly #live = new Map<string, LiveTopic>()

  constructor(root: string, record: (event: StateEvent) => void) {
    this.#root = root
    this.#record = record
  }

  /** Takes in one event of the journal on start; `open` comes after the last one. */
  restore(event: StateEvent): void {
    if (event.kind === 'topic') this.#stored.set(event.name, event)
    if (event.kind === 'topic-deleted') {
      this.#stored.delete(event.name)
      this.#logStarts.delete(event.name)
    }
    if (event.kind === 'log-start') this.#noteLogStart(event.topic, event.partition, event.offset)
  }

  *snapshot(): Iterable<StateEvent> {
    for (const { name, id, partitions, configs } of this.#stored.values()) yield { kind: 'topic', name, id, partitions, configs }
    for (const [topic, starts] of this.#logStarts) {
      for (const [partition, offset] of starts) yield { kind: 'log-start', topic, partition, offset }
    }
  }

  /** Opens the logs of all topics and removes folders of topics that were deleted. */
  open(): void {
    mkdirSync(this.#root, { recursive: true })
    const known = new Set([...this.#stored.values()].map(folderName))
    for (const folder of readdirSync(this.#root))
      if (!known.has(folder)) rmSync(path.join(this.#root, folder), { recursive: true })
    for (const stored of this.#stored.values()) this.#openTopic(stored)
  }

  #openTopic(stored: StoredTopic): LiveTopic {
    const topic: LiveTopic = { ...stored, settings: topicSettings(stored.configs), partitions: [] }
    this.#live.set(stored.name, topic)
    this.#openPartitions(topic, stored.partitions)
    return topic
  }

  #openPartitions(topic: LiveTopic, count: number): void {
    for (let p = topic.partitions.length; p < count; p++) {
      const folder = path.join(this.#root, folderName(topic), String(p))
      const start = this.#logStarts.get(topic.name)?.get(p) ?? 0
      topic.partitions.push(PartitionLog.open(folder, this.#files, () => topic.settings, start))
    }
  }

  all(): Topic[] {
    return [...this.#live.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  get(name: string): Topic | undefined {
    return this.#live.get(name)
  }

  byId(id: string): Topic | undefined {
    return [...this.#live.values()].find(topic => topic.id === id)
  }

  partition(name: string, partition: number): PartitionLog | undefined {
    return this.#live.get(name)?.partitions[partition]
  }

  /** Throws as `create` would, and makes nothing. */
  checkNew(name: string, partitions: number, configs: Readonly<Record<string, string>>): void {
    if (!LEGAL_NAME.test(name) || name === '.' || name === '..') {
      throw new ProtocolError(ErrorCode.INVALID_TOPIC_EXCEPTION, `'${name}' is not a legal topic name`)
    }
    if (this.#live.has(name)) throw new ProtocolError(ErrorCode.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`)
    if (partitions < 1 || partitions > MAX_PARTITIONS) {
      throw new ProtocolError(ErrorCode.INVALID_PARTITIONS, `${partitions} partitions, allowed are 1 to ${MAX_PARTITIONS}`)
    }
    for (const [key, value] of Object.entries(configs)) checkTopicConfig(key, value)
  }

  create(name: string, partitions: number, configs: Readonly<Record<string, string>>): Topic {
    this.checkNew(name, partitions, configs)
    const stored = { name, id: randomBytes(16).toString('hex'), partitions, configs }
    this.#store(stored)
    return this.#openTopic(stored)
  }

  #store(stored: StoredTopic): void {
    this.#stored.set(stored.name, stored)
    this.#record({ kind: 'topic', name: stored.name, id: stored.id, partitions: stored.partitions, configs: stored.configs })
  }

  addPartitions(name: string, total: number): void {
    const topic = this.#live.get(name)
    if (topic === undefined) throw new ProtocolError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `no topic '${name}'`)
    this.#store({ name, id: topic.id, partitions: total, configs: topic.configs })
    this.#openPartitions(topic, total)
  }

  /** Replaces all configs of a topic. */
  configure(name: string, configs: Readonly<Record<string, string>>): void {
    const topic = this.#live.get(name)
    if (topic === undefined) throw new ProtocolError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `no topic '${name}'`)
    for (const [key, value] of Object.entries(configs)) checkTopicConfig(key, value)
    topic.configs = configs
    topic.settings = topicSettings(configs)
    this.#store({ name, id: topic.id, partitions: topic.partitions.length, configs })
  }

  delete(name: string): void {
    const topic = this.#live.get(name)
    if (topic === undefined) throw new ProtocolError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `no topic '${name}'`)
    this.#live.delete(name)
    this.#stored.delete(name)
    this.#logStarts.delete(name)
    this.#record({ kind: 'topic-deleted', name })
    for (const log of topic.partitions) log.remove()
    rmSync(path.join(this.#root, folderName(topic)), { recursive: true, force: true })
  }

  deleteRecords(topic: string, partition: number, offset: number): void {
    const log = this.partition(topic, partition)
    if (log === undefined) throw new ProtocolError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `no partition ${topic}-${partition}`)
    this.#recordLogStart(topic, partition, Math.max(offset, log.startOffset))
    log.deleteBefore(offset)
  }

  enforceRetention(now: number): void {
    for (const topic of this.#live.values()) {
      topic.partitions.forEach((log, partition) => {
        if (log.enforceRetention(now)) this.#recordLogStart(topic.name, partition, log.startOffset)
      })
    }
  }

  #recordLogStart(topic: string, partition: number, offset: number): void {
    this.#noteLogStart(topic, partition, offset)
    this.#record({ kind: 'log-start', topic, partition, offset })
  }

  #noteLogStart(topic: string, partition: number, offset: number): void {
    const starts = this.#logStarts.get(topic) ?? new Map<number, number>()
    starts.set(partition, offset)
    this.#logStarts.set(topic, starts)
  }

  close(): void {
    this.#files.closeAll()
  }
}

const folderName = (topic: { readonly name: string; readonly id: string }): string =>
  `${topic.name.slice(0, NAME_IN_FOLDER)}.${topic.id}`
