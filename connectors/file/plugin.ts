import { localSource } from '../../runtime/local_source'
import { defineSource } from '../../runtime/plugin'
import { fileOptions } from './options'
import { FileInput } from './source'

export const fileConnector = defineSource({
  name: 'file',
  status: 'stable',
  since: '0.1.0',
  summary: 'CSV and NDJSON files, plain or gzip: one file, a folder or a pattern, in one order.',
  description:
    'Reads files to their end, as one partition whose offsets count the records. Without `merge_by` the files come one after the other, by ' +
    'name; with it their records are put into one order by the value of a column, which windows need where files cover the same time: ' +
    'after the first file the rows of the others would be late. What was appended since the last run, and new files, are ' +
    'read on the next run, after all that was read before. What was read belongs to the files: a `path` written in another way, or a wider ' +
    'one, goes on where the flow was. Blank lines are no records. A file that was changed, shortened or removed after it ' +
    'was read stops the flow, because its records would be counted anew; a compressed file must not grow.',
  config: fileOptions,
  connection: null,
  capabilities: { delivers: 'columns', exactly_once: true, groups: false },
  examples: [
    {
      title: 'A folder of measurements, merged by time',
      yaml: `name: measurements
flows:
  load:
    source:
      type: file
      path: data/*.csv
      schema: { timestamp: timestamp(ms), value: f64 }
      columns: { series: file_stem }
      merge_by: timestamp
      time: timestamp
    sink: { type: stdout }
`,
      files: {
        'data/north.csv': `timestamp,value
2024-01-01T00:00:00Z,20.5
2024-01-01T00:10:00Z,21.0
`,
        'data/south.csv': `timestamp,value
2024-01-01T00:05:00Z,31.2
`,
      },
    },
    {
      title: 'JSON lines, also of compressed files, types from the first records',
      yaml: `name: log-lines
flows:
  load:
    source:
      type: file
      path: logs/**/*.ndjson* # plain and .gz
      infer: { rows: 5000 }
      columns: { file: file_name, line: line_number }
    sink: { type: stdout }
`,
      files: {
        'logs/web/1.ndjson': `{"at": "2024-01-01T00:00:00Z", "path": "/", "status": 200}
{"at": "2024-01-01T00:00:01Z", "path": "/missing", "status": 404}
`,
      },
    },
  ],
  conformance: { skip: { source: 'needs files' } },
  bounded: () => true,
  reads: () => [],
  create: (config, context) => localSource(new FileInput(config, context.baseDir), context),
})
