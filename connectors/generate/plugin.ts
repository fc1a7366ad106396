import { localSource } from '../../runtime/local_source'
import { defineSource } from '../../runtime/plugin'
import { generateOptions } from './options'
import { GenerateInput } from './source'

export const generateConnector = defineSource({
  name: 'generate',
  status: 'stable',
  since: '0.1.0',
  summary: 'Rows made by rule: keys that report in turn, with seasons, noise, bursts, level shifts and gaps.',
  description:
    'Makes rows for demonstrations, tests and measurements. Each value depends only on the seed, the key, how often the key has reported, and ' +
    'the field, so the same settings give the same rows, at any pace and after any restart. The columns are the event time, the key (with `keys`) ' +
    'and the `fields` in their order. `history` back-dates rows so that windows are full from the start.',
  config: generateOptions,
  connection: null,
  capabilities: { delivers: 'columns', exactly_once: true, groups: false },
  examples: [
    {
      title: 'Eight hours of a hundred devices, then live',
      yaml: `name: devices
flows:
  make:
    source:
      type: generate
      rate: 1000/s
      history: 8h
      keys: { column: device, count: 100, prefix: dev- }
      fields:
        id: { type: sequence }
        region: { type: choice, of: [eu, us], weights: [3, 1], per: key }
        cpu:
          type: series
          base: 40
          daily: { amplitude: 20, peak: 14h }
          noise: 3
          burst: { every: 6h, for: 10m, add: 40 }
          min: 0
          max: 100
    sink: { type: stdout, limit: 10 }
`,
    },
    {
      title: 'Devices of which one leaks now and then, labelled',
      yaml: `name: leaking
flows:
  make:
    source:
      type: generate
      history: 8h
      interval: 5s
      keys: { column: device, count: 40, prefix: dev- }
      fields:
        bytes_out: { type: series, base: 5000, spread: 1000, noise: 500, min: 0 }
      faults:
        leaking: { type: scale, fields: [bytes_out], by: 30, every: 1m, for: 30s }
      label: fault
    sink: { type: stdout, limit: 10 }
`,
    },
    {
      title: 'A fixed number of rows, as fast as possible',
      yaml: `name: rows
flows:
  make:
    source:
      type: generate
      count: 100000
      start: 2024-01-01T00:00:00Z
      fields:
        id: { type: sequence }
        value: { type: normal, mean: 20, sd: 5 }
    sink: { type: stdout, limit: 10 }
`,
    },
  ],
  conformance: {
    config: {
      count: 18_000,
      start: '2024-01-01T00:00:00Z',
      partitions: 2,
      keys: { count: 7 },
      fields: { id: { type: 'sequence' }, value: { type: 'normal' }, name: { type: 'template', text: '{key}/{tick}' } },
      gaps: { every: '10m', for: '1m' },
    },
  },
  bounded: config => config.count !== undefined || config.for !== undefined,
  endless: config => config.count === undefined && config.for === undefined,
  reads: () => [],
  create: (config, context) => localSource(new GenerateInput(config, context.clock), context),
})
