import { ConnectError } from '../../../../runtime/errors'
import type { FormatDeclaration } from '../../../../runtime/plugin'
import { formats } from '../../../../transforms/formats'
import { ANOMALY, type Anomaly, AnomalyRows } from '../../../../transforms/score/anomaly'
import { blockOf, decodeBlocks, encodeRows, formatContext, never, rowAt, testRegistry } from '../../../support/formats'

const registry = testRegistry()

const avro = formats.find((d): d is FormatDeclaration => d.kind === 'format' && d.name === 'avro')!
const anomaly: Anomaly = {
  id: 'v|d|a|2000',
  view: 'v',
  detector: 'd',
  key: new Map([
    ['device', 'a'],
    ['site', null],
  ]),
  windowStart: 1000,
  windowEnd: 2000,
  features: new Map([
    ['mean', { value: 5, expected: 1.5, lower: Number.NaN, upper: 3, contribution: 1 }],
    ['peak', { value: Number.NaN, expected: 1, lower: 0, upper: Number.POSITIVE_INFINITY, contribution: 0 }],
  ]),
  score: 5.25,
  severity: 1,
  rev: 2n ** 60n,
  status: 'raised',
  detectedAt: 3000,
}

test('an anomaly record keeps its values through Avro, and its schema is always the same', async () => {
  const out = new AnomalyRows('p', 'f')
  out.add(0, anomaly)
  const context = formatContext({ registry: { url: registry.url }, topics: ['anomalies'] })
  const open = () => avro.create(avro.config.parse({}) as never, context)
  const bytes: Buffer[] = []
  for (let i = 0; i < 2; i++) {
    const format = open()
    const encoder = await format.encoder!(ANOMALY, never)
    bytes.push(...(encodeRows(encoder, out.columns, 1) as Buffer[]))
    await format.close()
  }
  // the id of the schema stands in the bytes
  expect(bytes[1].equals(bytes[0])).toBe(true)
  const reader = open()
  const schema = await reader.open(never)
  if (!schema) throw new ConnectError('R001_INTERNAL', 'no schema')
  expect(schema.name).toBe('olap_connect.Anomaly')
  expect(schema.fields.map(f => f.name)).toEqual(ANOMALY.fields.map(f => f.name))
  const decoder = reader.decoder(schema, 1)
  expect((await decodeBlocks(decoder, [blockOf([bytes[0]])])).size).toBe(0)
  expect(rowAt(decoder, schema, 0)).toEqual({
    id: 'v|d|a|2000',
    pipeline: 'p',
    flow: 'f',
    view: 'v',
    detector: 'd',
    key: anomaly.key,
    window_start: 1000,
    window_end: 2000,
    features: new Map([
      ['mean', { value: 5, expected: 1.5, lower: null, upper: 3, contribution: 1 }],
      ['peak', { value: null, expected: 1, lower: 0, upper: null, contribution: 0 }],
    ]),
    score: 5.25,
    severity: 'warning',
    model: null,
    model_version: null,
    rev: 2n ** 60n,
    status: 'raised',
    detected_at: 3000,
  })
  await reader.close()
})
