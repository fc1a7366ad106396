import path from 'node:path'
import { loadPipeline, readPluginList } from '../../../config/load'
import { load, MINIMAL, messagesOf, problemsOf, specOf } from './loading'
import { registry } from './plugins'

describe('a valid file', () => {
  test('has its defaults filled in', () => {
    const spec = specOf(load(MINIMAL))
    expect(spec).toEqual({
      name: 'demo',
      file: 'dir/p.yaml',
      baseDir: path.resolve('dir'),
      connections: {},
      home: null,
      flows: [
        {
          name: 'a',
          source: { type: 'ticks', connection: null, config: { columns: { n: 'i64' }, rate: 10 }, at: 'dir/p.yaml:5:13' },
          transforms: [],
          sink: { type: 'screen', connection: null, config: {}, at: 'dir/p.yaml:6:11' },
          onError: { kind: 'stop' },
          lanes: 4,
        },
      ],
      memory: 256 * 1024 ** 2,
      shutdownTimeout: 30_000,
      views: [],
    })
  })

  test('gets sizes in bytes, durations in milliseconds, formats as checked options', () => {
    const spec = specOf(
      load(`
name: demo
memory: 1GiB
shutdown_timeout: 5s
connections: {queue: {brokers: a}, store: {url: b}}
flows:
  a:
    source:
      type: topic
      topics: [t]
      value: {format: csv, columns: {a: i64}}
      idle: 1.5m
    transforms: [{type: filter, if: a > 1}]
    sink: {type: table, table: x, max_ahead: 10m, flush: {bytes: 1KiB}}
    lanes: 2
`),
    )
    expect(spec).toMatchObject({ memory: 1024 ** 3, shutdownTimeout: 5000, home: 'queue' })
    const [flow] = spec.flows
    expect(flow.lanes).toBe(2)
    expect(flow.source.connection).toBe('queue')
    expect(flow.sink.connection).toBe('store')
    expect(flow.source.config).toMatchObject({
      idle: 90_000,
      value: { format: 'csv', config: { columns: { a: 'i64' }, separator: ',' } },
      key: { format: 'string', config: {} },
      on_tombstone: 'reject',
    })
    expect(flow.sink.config).toMatchObject({ max_ahead: 600_000, flush: { rows: 100_000, bytes: 1024, interval: 200 } })
    expect(flow.transforms).toEqual([{ type: 'filter', connection: null, config: { if: 'a > 1' }, at: 'dir/p.yaml:13:18' }])
  })

  test('may use aliases and merge keys; what stands in the mapping wins', () => {
    const spec = specOf(
      load(`
name: demo
flows:
  a:
    source: &s {type: ticks, columns: {n: i64}, rate: 5}
    sink: &out {type: screen}
  b:
    source: {<<: *s, rate: 7}
    sink: *out
`),
    )
    expect(spec.flows.map(f => f.source.config)).toEqual([
      { columns: { n: 'i64' }, rate: 5 },
      { columns: { n: 'i64' }, rate: 7 },
    ])
    expect(spec.flows[1].sink.at).toBe('dir/p.yaml:6:16')
  })

  test('may hold empty parts that are not available', () => {
    expect(load(`${MINIMAL}models: {}\ntests: []\n`).ok).toBe(true)
    expect(problemsOf(load(`${MINIMAL}models:\n  v: {from: t}\n`))).toEqual(['7:1 C021 models'])
  })
})

describe('variables', () => {
  test('an unset one is reported where it stands, also inside a text', () => {
    const result = load(MINIMAL.replace('demo', '"a-${NAME}-${OTHER}"'))
    expect(problemsOf(result)).toEqual(['2:10 C011 name', '2:18 C011 name'])
    expect(messagesOf(result)).toContain('${NAME:-default}')
  })

  test('fill numbers and booleans as YAML would, texts as text', () => {
    const text = `
name: demo
connections: {queue: {brokers: \${B}, tls: \${TLS}, sasl: {mechanism: plain, username: \${USER}, password: \${PW}}}}
flows:
  a:
    source: {type: topic, topics: ["\${T}"], value: \${F:-json}}
    sink: {type: screen, limit: \${LIMIT}}
    lanes: \${LANES:-2}
`
    const result = load(text, { B: '1', TLS: 'true', USER: '007', PW: '12345', T: '5', LIMIT: '7' })
    const spec = specOf(result)
    expect(spec.connections.queue.config).toEqual({
      brokers: '1',
      tls: true,
      sasl: { mechanism: 'plain', username: '007', password: '12345' },
    })
    expect(spec.flows[0]).toMatchObject({ lanes: 2, source: { config: { topics: ['5'] } }, sink: { config: { limit: 7 } } })
    expect(result.ok && result.secrets).toEqual(['12345'])
  })

  test('stay text in quotes', () => {
    const result = load(`${MINIMAL}    lanes: "\${LANES}"\n`, { LANES: '2' })
    expect(problemsOf(result)).toEqual(['7:12 C003 flows.a.lanes'])
    expect(messagesOf(result)).toContain('remove the quotes')
  })

  test('a value that does not fit is reported at the reference, without what it held', () => {
    const result = load(`${MINIMAL}    lanes: \${LANES}\n`, { LANES: 'geheim' })
    expect(problemsOf(result)).toEqual(['7:12 C003 flows.a.lanes'])
    expect(messagesOf(result)).not.toContain('geheim')
  })

  test('files are read from beside the pipeline and are secret', () => {
    const text = MINIMAL.replace('demo', '${file:name.txt}')
    const result = load(text, {}, { 'name.txt': 'from-file\n' })
    expect(specOf(result).name).toBe('from-file')
    expect(result.ok && result.secrets).toEqual(['from-file'])
    expect(problemsOf(load(text))).toEqual(['2:7 C012 name'])
  })
})

describe('secrets', () => {
  const file = (password: string): string => `
name: demo
connections:
  store: {url: "http://u:geheim@h", password: ${password}, datbase: x}
flows:
  a: {source: {type: ticks, columns: {n: i64}}, sink: {type: table, table: x}}
`
  test('never stand in a problem or its excerpt', () => {
    const shown = messagesOf(load(file('hunter22')))
    expect(shown).toContain('C002')
    expect(shown).not.toMatch(/hunter22|geheim/)
  })

  test('of the wrong type are not shown either', () => {
    const shown = messagesOf(load(file('[hunter22]')))
    expect(shown).toContain('C003')
    expect(shown).not.toContain('hunter22')
  })

  test('are hidden where the file does not even parse', () => {
    expect(messagesOf(load('a: {password: hunter22'))).not.toContain('hunter22')
  })

  test('written into the file are worth a warning', () => {
    const result = load(file('hunter22').replace('datbase', 'database'))
    expect(result.ok && result.warnings.map(w => w.path)).toEqual(['connections.store.password'])
    expect(JSON.stringify(result.ok && result.warnings)).not.toContain('hunter22')
    expect(load(file('${PW}').replace('datbase', 'database'), { PW: 'hunter22' })).toMatchObject({ ok: true, warnings: [] })
  })
})

test('a missing key is reported at the mapping that lacks it', () => {
  const text = `
name: demo
connections:
  queue:
    brokers: a
    sasl: {mechanism: plain, username: u}
flows:
  a: {source: {type: ticks, columns: {n: i64}}, sink: {type: topic, topic: t}}
  b:
    source: {type: ticks, columns: {n: i64}}
    transforms:
      - type: filter
    sink: {type: topic}
`
  expect(problemsOf(load(text))).toEqual([
    '6:5 C004 connections.queue.sasl.password',
    '12:9 C004 flows.b.transforms[0].if',
    '13:5 C004 flows.b.sink.topic',
  ])
})

test('every mistake of a file is found in one pass', () => {
  const result = load(`name: Demo
conections: {queue: {brokers: a}}
flows:
  a:
    source: {type: topc, topics: [t], value: json}
    sink: {type: table, tabel: 5, mode: upsrt, flush: {rows: 0, interval: 5}}
    lanes: 65
  b:
    source: {type: ticks, colums: {n: 1}}
    transforms: {type: filter}
    sink: {kind: screen, color: yes}
`)
  expect(problemsOf(result)).toEqual([
    '1:7 C005 name',
    '2:1 C002 conections',
    '5:20 C009 flows.a.source.type',
    '6:5 C010 flows.a.sink',
    '6:25 C002 flows.a.sink.tabel',
    '6:32 C003 flows.a.sink.table',
    '6:41 C005 flows.a.sink.mode',
    '6:62 C005 flows.a.sink.flush.rows',
    '6:75 C003 flows.a.sink.flush.interval',
    '7:12 C005 flows.a.lanes',
    '9:27 C002 flows.b.source.colums',
    '9:39 C003 flows.b.source.columns.n',
    '10:17 C003 flows.b.transforms',
    '11:12 C002 flows.b.sink.kind',
    '11:33 C003 flows.b.sink.color',
  ])
})

test('a format that cannot write is refused in a sink', () => {
  const text = `
name: demo
connections: {queue: {brokers: a}}
flows:
  a:
    source: {type: ticks, columns: {n: i64}}
    sink: {type: topic, topic: t, value: {format: csv, columns: {a: i64}}}
`
  expect(problemsOf(load(text))).toEqual(['7:42 C013 flows.a.sink.value'])
})

test('the plugin list is read before anything else, also from a file with mistakes', () => {
  const readFile = (): string => 'name: 5\nplugins: [./a.js, "pkg-${X}", "${UNSET}"]\n'
  expect(readPluginList('p.yaml', { X: '1' }, { readFile })).toEqual([
    { name: './a.js', line: 2, column: 11 },
    { name: 'pkg-1', line: 2, column: 19 },
  ])
  expect(readPluginList('p.yaml', {}, { readFile: () => 'a: [' })).toEqual([])
})

test('a file that cannot be read is a problem, not an exception', () => {
  const result = loadPipeline('/nowhere/p.yaml', { registry, env: {} })
  expect(problemsOf(result)).toEqual(['1:1 C012 '])
})

test('a slide that does not divide the size: what would', () => {
  const slides = (size: string): string =>
    JSON.stringify(load(`${MINIMAL}views: {w: {from: t, size: ${size}, slide: 7s, columns: {n: count()}}}\n`))
  expect(slides('10m')).toContain('"message":"size must be a multiple of slide","hint":"slide may be 1m, 2m, 5m, 10m"')
  expect(slides('1d')).toContain('slide may be 4h, 6h, 8h, 12h')
})
