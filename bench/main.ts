import { parseArgs } from 'node:util'
import { endToEnd } from './end_to_end'
import { finalise } from './finalise'
import { latency } from './latency'
import { runMain } from './run_main'

/** `npm run bench -- NAME [--rows N] [--partitions N] [--runs N] [--only CONTENDER] [--keys N,N] [--rate N] [--seconds N] [--json]` */
async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rows: { type: 'string', default: '3000000' },
      partitions: { type: 'string', default: '12' },
      runs: { type: 'string', default: '3' },
      only: { type: 'string' },
      rate: { type: 'string', default: '20000' },
      seconds: { type: 'string', default: '60' },
      keys: { type: 'string', default: '10000,100000' },
      json: { type: 'boolean', default: false },
    },
  })
  const [name] = positionals
  const say = (text: string): void => void process.stderr.write(`${text}\n`)
  const print = (value: object): void =>
    void process.stdout.write(values.json ? `${JSON.stringify(value)}\n` : `${JSON.stringify(value, null, 2)}\n`)
  if (name === 'end-to-end')
    await endToEnd(
      { rows: Number(values.rows), partitions: Number(values.partitions), runs: Number(values.runs), only: values.only },
      print,
      say,
    )
  else if (name === 'finalise') await finalise({ keys: values.keys.split(',').map(Number) }, print, say)
  else if (name === 'latency') {
    const { rate, seconds, partitions } = values
    await latency({ rate: Number(rate), seconds: Number(seconds), partitions: Number(partitions), devices: 1_000 }, print, say)
  } else if (name !== undefined && /^[a-z_]+$/.test(name)) await import(`./${name}.js`)
  else throw new Error('name a bench: end-to-end, finalise, latency, or a file of this folder')
}

runMain(main)
