import { Type } from 'avsc'
import type { Bench } from './connect'
import { wire } from './wire'

/** What the topics of the window tests hold. `ts` in milliseconds. */
export interface Reading {
  readonly device: string
  readonly ts: number
  readonly cpu: number
}

const READING = {
  type: 'record' as const,
  name: 'Reading',
  fields: [
    { name: 'device', type: 'string' },
    { name: 'ts', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'cpu', type: 'double' },
  ],
}

/** Registers their schema for the values of a topic; gives what makes a value of one. */
export async function registerReadings(bench: Bench, topic: string): Promise<(reading: Reading) => Buffer> {
  const id = await bench.registerValues(topic, READING)
  const type = Type.forSchema(READING as never)
  return ({ device, ts, cpu }) => wire(id, type.toBuffer({ device, ts, cpu }))
}
