import path from 'node:path'
import type { LoadResult } from '../../../config/load'
import { load, MINIMAL, messagesOf, problemsOf, specOf } from './loading'

/** Which connection a source, a sink and the dead letters of a flow use. */

const TWO = (flow: string, more = ''): string => `
name: demo
connections:
  eu: {type: queue, brokers: a}
  us: {type: queue, brokers: b}
  store: {url: c}
${more}
flows:
  f:
${flow
  .trim()
  .split('\n')
  .map(line => `    ${line}`)
  .join('\n')}
`

describe('connections', () => {
  test('a list on a source makes one flow of each; a sink of the same kind uses the cluster the flow reads', () => {
    const spec = specOf(
      load(
        TWO(`
source: {type: topic, connection: [eu, us], topics: [t], value: json}
sink: {type: topic, topic: out}
on_error: {dead_letter: dead}`),
      ),
    )
    expect(spec.flows.map(f => [f.name, f.source.connection, f.sink.connection, f.onError])).toEqual([
      ['f@eu', 'eu', 'eu', { kind: 'dead_letter', connection: 'eu', topic: 'dead' }],
      ['f@us', 'us', 'us', { kind: 'dead_letter', connection: 'us', topic: 'dead' }],
    ])
    expect(spec.home).toBeNull()
  })

  test('a list of one still names the flow after it', () => {
    const spec = specOf(load(TWO('source: {type: topic, connection: [eu], topics: [t], value: json}\nsink: {type: screen}')))
    expect(spec.flows.map(f => f.name)).toEqual(['f@eu'])
  })

  test('home decides where several would do', () => {
    const flow = 'source: {type: topic, topics: [t], value: json}\nsink: {type: table, table: x}'
    expect(specOf(load(TWO(flow, 'home: us'))).flows[0].source.connection).toBe('us')
    const open = load(TWO(flow))
    expect(problemsOf(open)).toEqual(['10:5 C010 flows.f.source'])
    expect(messagesOf(open)).toContain('add `connection:` with one of eu, us')
  })

  test('a sink keeps the connection it names', () => {
    const flow =
      'source: {type: topic, connection: eu, topics: [t], value: json}\nsink: {type: topic, connection: us, topic: out}'
    expect(specOf(load(TWO(flow))).flows[0].sink.connection).toBe('us')
  })

  test.each([
    ['unknown', 'connection: ue', '10:39 C010 flows.f.source.connection', 'did you mean `eu`?'],
    ['of another type', 'connection: store', '10:39 C010 flows.f.source.connection', 'is a store connection'],
    ['listed twice', 'connection: [eu, eu]', '10:44 C005 flows.f.source.connection[1]', 'listed twice'],
    ['an empty list', 'connection: []', '10:39 C005 flows.f.source.connection', 'empty'],
    ['a mapping', 'connection: {a: b}', '10:39 C003 flows.f.source.connection', 'name of a connection'],
  ])('a source refuses a connection that is %s', (_, connection, problem, words) => {
    const result = load(TWO(`source: {type: topic, ${connection}, topics: [t], value: json}\nsink: {type: screen}`))
    expect(problemsOf(result)).toEqual([problem])
    expect(messagesOf(result)).toContain(words)
  })

  test('a sink refuses a list', () => {
    const flow = 'source: {type: ticks, columns: {n: i64}}\nsink: {type: topic, connection: [eu], topic: t}'
    expect(problemsOf(load(TWO(flow)))).toEqual(['11:37 C003 flows.f.sink.connection'])
  })

  test('a plugin without connection refuses one', () => {
    const flow = 'source: {type: ticks, connection: eu, columns: {n: i64}}\nsink: {type: screen}'
    expect(problemsOf(load(TWO(flow)))).toEqual(['10:27 C002 flows.f.source.connection'])
  })

  test('none at all, an unknown type, an unknown home', () => {
    const flow = 'flows: {f: {source: {type: topic, topics: [t], value: json}, sink: {type: screen}}}'
    expect(problemsOf(load(`name: a\n${flow}`))).toEqual(['2:13 C010 flows.f.source'])
    expect(problemsOf(load(`name: a\nconnections: {queue_eu: {brokers: a}}\n${flow}`))).toEqual([
      '2:15 C009 connections.queue_eu',
    ])
    expect(problemsOf(load(`name: a\nconnections: {queue: {brokers: a}}\nhome: quue\n${flow}`))).toEqual(['3:7 C010 home'])
  })

  test('one that no flow can use is worth a warning', () => {
    const result = load(`${MINIMAL}connections: {store: {url: a}}\n`)
    expect(result.ok && result.warnings.map(w => `${w.line}:${w.column} ${w.path}`)).toEqual(['7:15 connections.store'])
  })
})

describe('on_error', () => {
  const withOnError = (onError: string, home = ''): LoadResult =>
    load(TWO(`source: {type: ticks, columns: {n: i64}}\nsink: {type: screen}\non_error: ${onError}`, home))

  test('a file is relative to the pipeline file', () => {
    expect(specOf(withOnError('{dead_letter: {file: dead.ndjson}}')).flows[0].onError).toEqual({
      kind: 'dead_letter_file',
      path: path.resolve('dir/dead.ndjson'),
    })
  })

  test('a topic goes to the cluster named, else home; else it must be said', () => {
    const toUs = { kind: 'dead_letter', connection: 'us', topic: 'd' }
    expect(specOf(withOnError('{dead_letter: {topic: d, connection: us}}')).flows[0].onError).toEqual(toUs)
    expect(specOf(withOnError('{dead_letter: d}', 'home: us')).flows[0].onError).toEqual(toUs)
    expect(problemsOf(withOnError('{dead_letter: d}'))).toEqual(['12:16 C010 flows.f.on_error.dead_letter'])
    expect(problemsOf(withOnError('{dead_letter: {topic: d, connection: store}}'))).toEqual([
      '12:52 C010 flows.f.on_error.dead_letter.connection',
    ])
  })

  test('nothing is dropped silently', () => {
    expect(problemsOf(withOnError('drop'))).toEqual(['12:15 C005 flows.f.on_error'])
    expect(messagesOf(withOnError('drop'))).toContain('expected stop or {dead_letter: TOPIC}')
  })
})
