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
    'name; with it their records are put into one order by the value of a column. What was appended since the last run, and new files, are ' +
    'read on the next run, after all that was read before. Blank lines are no records. A file that was changed, shortened or removed after it ' +
    'was read stops the flow, because its records would be counted anew; a compressed file must not grow.',
  config: fileOptions,
  connection: null,
  capabilities: { delivers: 'columns', exactly_once: true, groups: false },
  examples: [
    {
      title: 'A folder of measurements, merged by time',
      yaml: `type: file
path: data/cpu/*.csv
schema: {timestamp: timestamp(ms), value: f64}
columns: {series: file_stem}
merge_by: timestamp
time: timestamp
`,
    },
    {
      title: 'Compressed JSON lines, types from the first records',
      yaml: `type: file
path: logs/**/*.ndjson.gz
infer: {rows: 5000}
columns: {file: file_name, line: line_number}
`,
    },
  ],
  conformance: { skip: { source: 'needs files' } },
  bounded: () => true,
  reads: () => [],
  create: (config, context) => localSource(new FileInput(config, context.baseDir), context),
})
