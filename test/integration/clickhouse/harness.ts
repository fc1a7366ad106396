import { connectionConfig } from '../../../connectors/clickhouse/config'
import { clickhouseConnector } from '../../../connectors/clickhouse/plugin'
import type { Batch } from '../../../runtime/batch'
import { type Clock, systemClock } from '../../../runtime/clock'
import type { EventData, EventName } from '../../../runtime/events'
import type { SinkContext, SinkDeclaration, TokenLane, TokenWrite, WriteResult } from '../../../runtime/plugin'
import type { Schema } from '../../../runtime/schema'
import type { ViewSpec } from '../../../runtime/spec'
import type { ClickHouseStore } from '../../../sql/client'
import { createStore } from '../../../sql/client'
import { type Service, startClickHouse } from '../../support/services'

const declaration = clickhouseConnector.find((d): d is SinkDeclaration => d.kind === 'sink')

export interface Seen {
  readonly name: EventName
  readonly data: EventData[EventName]
}

/** A ClickHouse with a database of the test's own, and sinks on it. */
export class Harness {
  readonly seen: Seen[] = []
  #closers: (() => Promise<void>)[] = []

  private constructor(
    readonly service: Service,
    readonly database: string,
    readonly store: ClickHouseStore,
  ) {}

  static async start(database: string): Promise<Harness> {
    const service = await startClickHouse()
    const config = connectionConfig.parse({ url: service.address, database })
    const store = createStore(config)
    await store.send(`DROP DATABASE IF EXISTS ${database}`, [])
    await store.send(`CREATE DATABASE ${database}`, [])
    return new Harness(service, database, store)
  }

  async stop(): Promise<void> {
    for (const close of this.#closers) await close()
    await this.store.close()
    await this.service.stop()
  }

  /** An opened sink with one lane; `yaml` is the sink's config as it stands in a file. */
  async sink(
    yaml: object,
    schema: Schema,
    options: { pipeline?: string; flow?: string; clock?: Clock; database?: string; views?: readonly ViewSpec[] } = {},
  ): Promise<SinkUnderTest> {
    if (!declaration) throw new Error('no sink is declared')
    const connection = connectionConfig.parse({
      url: this.service.address,
      database: options.database ?? this.database,
      request_timeout: '20s',
    })
    const context: SinkContext = {
      pipeline: options.pipeline ?? 'test',
      flow: options.flow ?? 'ingest',
      connection,
      connectionName: 'clickhouse',
      lanes: 2,
      baseDir: '.',
      dataDir: '.',
      clock: options.clock ?? systemClock,
      events: { emit: (name, data) => this.seen.push({ name, data }) },
      memory: 1e8,
      views: options.views ?? [],
      sourceTopics: ['in'],
      format: () => {
        throw new Error('this sink needs no format')
      },
    }
    const sink = declaration.create(declaration.config.parse(yaml), context)
    this.#closers.push(() => sink.close())
    const { signal } = new AbortController()
    await sink.open(schema, signal)
    const lane = await sink.lane({ lane: 0, partitions: [{ topic: 'in', partition: 0 }], group: null }, signal)
    if (lane.delivery !== 'token') throw new Error('a token lane was expected')
    return new SinkUnderTest(lane)
  }

  async one(sql: string): Promise<Record<string, unknown>> {
    return (await this.store.query(sql))[0]
  }

  /** Names of the events seen so far, without those of opening tables. */
  events(name: EventName): readonly EventData[EventName][] {
    return this.seen.filter(e => e.name === name).map(e => e.data)
  }
}

export class SinkUnderTest {
  constructor(readonly lane: TokenLane) {}

  write(batch: Batch, token: string, options: Partial<TokenWrite> = {}): Promise<WriteResult> {
    const { signal } = new AbortController()
    return this.lane.write(batch, { token, resend: false, namedAt: null, behind: null, signal, ...options })
  }
}
