import { appendFileSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import { cleanUp, folder, type Program, run } from './service'

const start = (data: string): Program => run('embedded/schema-registry/main.js', ['--data', data])

interface Answer {
  readonly status: number
  readonly type: string | null
  readonly body: unknown
  /** `error_code` of the body. */
  readonly code: number | undefined
}

const ask = async (address: string, method: string, pathname: string, body?: unknown): Promise<Answer> => {
  const response = await fetch(address + pathname, { method, body: body === undefined ? undefined : JSON.stringify(body) })
  const answer = (await response.json()) as { readonly error_code?: number }
  return { status: response.status, type: response.headers.get('content-type'), body: answer, code: answer.error_code }
}

const record = (...fields: readonly object[]) => ({ type: 'record', name: 'Metric', namespace: 'io.x', fields })
const id = { name: 'id', type: 'long' }
const cpu = { name: 'cpu', type: 'double' }
const cpuOptional = { name: 'cpu', type: ['null', 'double'], default: null }
const region = { name: 'region', type: 'string', default: 'eu' }
const schema = (value: unknown) => ({ schema: JSON.stringify(value) })

describe('embedded schema registry', () => {
  let address = ''
  let registry: Program
  let data = ''
  beforeEach(async () => {
    data = folder()
    registry = start(data)
    address = (await registry.next()).address
  })
  afterEach(cleanUp)
  const call = (method: string, pathname: string, body?: unknown) => ask(address, method, pathname, body)
  const register = (subject: string, value: unknown) => call('POST', `/subjects/${subject}/versions`, schema(value))

  it('serves the client of Confluent registries for JavaScript', async () => {
    const client = new SchemaRegistry({ host: address })
    const text = JSON.stringify(record({ name: 'ts', type: { type: 'long', logicalType: 'timestamp-millis' } }, cpu))
    const { id } = await client.register({ type: SchemaType.AVRO, schema: text }, { subject: 'metrics-value' })
    const wire = await client.encode(id, { ts: 1_700_000_000_000, cpu: 1.5 })
    expect(await new SchemaRegistry({ host: address }).decode(wire)).toEqual({ ts: 1_700_000_000_000, cpu: 1.5 })
    expect(await client.getLatestSchemaId('metrics-value')).toBe(id)
    expect(await client.getRegistryIdBySchema('metrics-value', { type: SchemaType.AVRO, schema: text })).toBe(id)
  })

  it('gives one text one id, whatever its subject and white space', async () => {
    expect((await register('a', record(id))).body).toEqual({ id: 1 })
    expect((await register('b', record(cpu))).body).toEqual({ id: 2 })
    expect((await call('POST', '/subjects/c/versions', { schema: JSON.stringify(record(id), null, 3) })).body).toEqual({ id: 1 })
    expect((await register('a', record(id))).body).toEqual({ id: 1 })
    expect((await call('GET', '/subjects/a/versions')).body).toEqual([1])
    expect((await call('GET', '/schemas/ids/1/versions')).body).toEqual([
      { subject: 'a', version: 1 },
      { subject: 'c', version: 1 },
    ])
    expect((await register('s', { type: 'string' })).body).toEqual((await register('t', 'string')).body)
    // docs, defaults and logical types are part of the schema
    expect((await register('d', { ...record(id), doc: 'x' })).body).toEqual({ id: 4 })
  })

  it('answers about subjects and versions', async () => {
    const subject = 'topic/ü-value'
    const at = `/subjects/${encodeURIComponent(subject)}`
    const first = await call('POST', `${at}/versions`, schema(record(id)))
    expect(first).toMatchObject({ status: 200, type: 'application/vnd.schemaregistry.v1+json', body: { id: 1 } })
    await call('POST', `${at}/versions`, schema(record(id, region)))
    expect((await call('GET', '/subjects')).body).toEqual([subject])
    expect((await call('GET', `${at}/versions`)).body).toEqual([1, 2])
    const latest = { subject, version: 2, id: 2, schema: JSON.stringify(record(id, region)) }
    for (const version of ['latest', '-1', '2']) expect((await call('GET', `${at}/versions/${version}`)).body).toEqual(latest)
    expect((await call('GET', `${at}/versions/1/schema`)).body).toEqual(record(id))
    expect((await call('POST', at, schema(record(id)))).body).toMatchObject({ version: 1, id: 1 })
    expect((await call('GET', '/schemas/ids/2')).body).toEqual({ schema: latest.schema })
    expect((await call('GET', '/schemas/types')).body).toEqual(['AVRO'])
    expect((await call('GET', '/mode')).body).toEqual({ mode: 'READWRITE' })
  })

  it('accepts logical types it does not know', async () => {
    expect((await register('l', record({ name: 'x', type: { type: 'string', logicalType: 'colour' } }))).status).toBe(200)
  })

  // Levels as in "Schema Evolution and Compatibility" of Confluent's documentation: B may delete fields and add optional ones,
  // F may add fields and delete optional ones, FULL both optional only; the others look at the last version, *_TRANSITIVE at all.
  const v1 = record(id, cpu)
  const levels: Readonly<
    Record<
      string,
      {
        readonly addRequired: boolean
        readonly addOptional: boolean
        readonly remove: boolean
        readonly removeOptional: boolean
        readonly widen: boolean
        readonly narrow: boolean
      }
    >
  > = {
    BACKWARD: { addRequired: false, addOptional: true, remove: true, removeOptional: true, widen: true, narrow: false },
    FORWARD: { addRequired: true, addOptional: true, remove: false, removeOptional: true, widen: false, narrow: true },
    FULL: { addRequired: false, addOptional: true, remove: false, removeOptional: true, widen: false, narrow: false },
    NONE: { addRequired: true, addOptional: true, remove: true, removeOptional: true, widen: true, narrow: true },
  }
  const changes = {
    addRequired: [v1, record(id, cpu, { name: 'req', type: 'string' })],
    addOptional: [v1, record(id, cpu, region)],
    remove: [v1, record(id)],
    removeOptional: [record(id, cpuOptional), record(id)],
    widen: [record({ name: 'id', type: 'int' }), record(id)],
    narrow: [record(id), record({ name: 'id', type: 'int' })],
  } as const
  const cases = Object.entries(levels).flatMap(([level, verdicts]) =>
    ['', '_TRANSITIVE'].flatMap(suffix =>
      level === 'NONE' && suffix !== ''
        ? []
        : Object.entries(verdicts).map(([change, ok]) => [level + suffix, change, ok] as const),
    ),
  )
  it.each(cases)('%s: %s -> %s', async (level, change, ok) => {
    const [before, after] = changes[change as keyof typeof changes]
    expect((await call('PUT', '/config/s', { compatibility: level })).body).toEqual({ compatibility: level })
    await register('s', before)
    expect((await call('POST', '/compatibility/subjects/s/versions/latest', schema(after))).body).toEqual({ is_compatible: ok })
    const answer = await register('s', after)
    expect([answer.status, answer.code]).toEqual(ok ? [200, undefined] : [409, 409])
    expect((await call('GET', '/subjects/s/versions')).body).toEqual(ok ? [1, 2] : [1])
  })

  // Each last step is fine after the one before it and not after the first.
  it.each([
    ['BACKWARD', [record(id), record(id, region), record(id, { ...region, default: undefined })]],
    ['FORWARD', [record(id, cpu), record(id, cpuOptional), record(id)]],
    [
      'FULL',
      [record(id, { name: 'x', type: 'int', default: 0 }), record(id), record(id, { name: 'x', type: 'string', default: '' })],
    ],
  ] as const)('%s looks at the last version, its transitive form at all', async (level, steps) => {
    for (const [suffix, status] of [
      ['', 200],
      ['_TRANSITIVE', 409],
    ] as const) {
      const subject = `t${suffix}`
      await call('PUT', `/config/${subject}`, { compatibility: 'NONE' })
      await register(subject, steps[0])
      await register(subject, steps[1])
      await call('PUT', `/config/${subject}`, { compatibility: level + suffix })
      expect((await register(subject, steps[2])).status).toBe(status)
    }
  })

  const enumOf = (...symbols: string[]) => ({ type: 'enum', name: 'E', symbols })
  it.each([
    ['an enum gains a symbol', enumOf('A'), enumOf('A', 'B'), true],
    ['an enum loses a symbol', enumOf('A', 'B'), enumOf('A'), false],
    ['an enum with a default loses a symbol', enumOf('A', 'B'), { ...enumOf('A'), default: 'A' }, true],
    ['a union gains a branch', ['null', 'int'], ['null', 'int', 'string'], true],
    ['a union loses a branch', ['null', 'int', 'string'], ['null', 'int'], false],
    ['a type becomes a union with it', 'int', ['null', 'int'], true],
    ['a fixed changes its size', { type: 'fixed', name: 'F', size: 4 }, { type: 'fixed', name: 'F', size: 8 }, false],
    ['string becomes bytes', 'string', 'bytes', true],
    ['an array changes its items', { type: 'array', items: 'int' }, { type: 'array', items: 'string' }, false],
    ['a field is renamed by an alias', record(cpu), record({ name: 'load', type: 'double', aliases: ['cpu'] }), true],
    ['a namespace changes', record(id), { ...record(id), namespace: 'io.y' }, true],
    ['a record takes another name', record(id), { ...record(id), name: 'Other' }, false],
  ])('backward: %s', async (_, before, after, ok) => {
    await register('s', before)
    expect((await register('s', after)).status).toBe(ok ? 200 : 409)
  })

  it("answers with Confluent's error codes", async () => {
    await register('s', record(id))
    const expected: readonly (readonly [string, string, unknown, number, number])[] = [
      ['GET', '/subjects/none/versions', undefined, 404, 40401],
      ['GET', '/subjects/none/versions/latest', undefined, 404, 40401],
      ['POST', '/subjects/none', schema(record(id)), 404, 40401],
      ['DELETE', '/subjects/none', undefined, 404, 40401],
      ['GET', '/subjects/s/versions/7', undefined, 404, 40402],
      ['GET', '/subjects/s/versions/x', undefined, 422, 42202],
      ['GET', '/subjects/s/versions/0', undefined, 422, 42202],
      ['GET', '/schemas/ids/99', undefined, 404, 40403],
      ['POST', '/subjects/s', schema(record(cpu)), 404, 40403],
      ['GET', '/config/s', undefined, 404, 40408],
      ['POST', '/subjects/s/versions', schema(record(id, { name: 'req', type: 'string' })), 409, 409],
      ['POST', '/subjects/s/versions', { schema: '{' }, 422, 42201],
      ['POST', '/subjects/s/versions', schema({ type: 'record', name: 'R' }), 422, 42201],
      ['POST', '/subjects/s/versions', schema('Unknown'), 422, 42201],
      ['POST', '/subjects/s/versions', {}, 422, 42201],
      ['POST', '/subjects/s/versions', { ...schema('string'), schemaType: 'PROTOBUF' }, 422, 42201],
      [
        'POST',
        '/subjects/s/versions',
        { ...schema('string'), references: [{ name: 'A', subject: 'a', version: 1 }] },
        422,
        42201,
      ],
      ['POST', '/subjects/s/versions', [1], 400, 400],
      ['PUT', '/config', { compatibility: 'SOMETIMES' }, 422, 42203],
      ['GET', '/nothing/here', undefined, 404, 404],
      ['PUT', '/subjects', undefined, 405, 405],
    ]
    for (const [method, pathname, body, status, code] of expected) {
      const answer = await call(method, pathname, body)
      expect([method, pathname, answer.status, answer.code]).toEqual([method, pathname, status, code])
    }
    expect((await call('GET', '/subjects/s/versions')).body).toEqual([1])
  })

  it('deletes softly, then for good, and never gives an id to another schema', async () => {
    await register('s', record(id))
    await register('s', record(id, region))
    expect((await call('DELETE', '/subjects/s?permanent=true')).code).toBe(40405)
    expect((await call('DELETE', '/subjects/s/versions/1')).body).toBe(1)
    expect((await call('DELETE', '/subjects/s')).body).toEqual([2])
    expect((await call('GET', '/subjects')).body).toEqual([])
    expect((await call('GET', '/subjects?deleted=true')).body).toEqual(['s'])
    expect((await call('GET', '/schemas/ids/1')).status).toBe(200)
    expect((await call('DELETE', '/subjects/s')).code).toBe(40404)
    // A deleted version does not stand in the way, and its number is not used again.
    expect((await register('s', 'string')).body).toEqual({ id: 3 })
    expect((await call('GET', '/subjects/s/versions')).body).toEqual([3])
    await call('DELETE', '/subjects/s')
    expect((await call('DELETE', '/subjects/s?permanent=true')).body).toEqual([1, 2, 3])
    expect((await register('s', 'int')).body).toEqual({ id: 4 })
  })

  it('keeps everything over SIGKILL, and a torn last entry is no harm', async () => {
    await register('s', record(id))
    await register('s', record(id, region))
    await call('PUT', '/config', { compatibility: 'FULL' })
    await call('PUT', '/config/s', { compatibility: 'NONE' })
    registry.child.kill('SIGKILL')
    await registry.ended
    const journal = path.join(data, 'journal.ndjson')
    const whole = readFileSync(journal, 'utf8')
    appendFileSync(journal, '{"op":"version","subj')
    registry = start(data)
    address = (await registry.next()).address
    expect((await call('GET', '/config')).body).toEqual({ compatibilityLevel: 'FULL' })
    expect((await call('GET', '/config/s')).body).toEqual({ compatibilityLevel: 'NONE' })
    expect((await call('GET', '/subjects/s/versions/latest')).body).toMatchObject({ version: 2, id: 2 })
    expect(readFileSync(journal, 'utf8')).toBe(whole)
    expect((await register('s', 'int')).body).toEqual({ id: 3 })
    registry.child.kill('SIGTERM')
    expect(await registry.ended).toBe(0)
  })

  it('lets no second registry into its folder', async () => {
    const second = start(data)
    expect(await second.next()).toMatchObject({
      event: 'failed',
      message: expect.stringContaining(`process ${registry.child.pid}`),
    })
    expect(await second.ended).toBe(3)
  })
})
