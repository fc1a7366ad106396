import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { FileHandles } from '../../../../embedded/kafka/log/file_handles'
import { type LogSettings, PartitionLog } from '../../../../embedded/kafka/log/partition_log'
import { HEADER_BYTES, readHeader } from '../../../../embedded/kafka/log/record_batch'
import { recordBatch } from '../../../integration/embedded-kafka/wire_client'

let folder: string
let files: FileHandles
let settings: LogSettings

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'partition-log-'))
  files = new FileHandles(2)
  settings = { segmentBytes: 1000, retentionMs: -1, retentionBytes: -1, deletes: true }
})

afterEach(() => {
  files.closeAll()
  rmSync(folder, { recursive: true })
})

const open = (startOffset = 0): PartitionLog => PartitionLog.open(folder, files, () => settings, startOffset)

const append = (log: PartitionLog, fields: Parameters<typeof recordBatch>[0]): number => {
  const batch = recordBatch(fields)
  return log.append(batch, readHeader(batch))
}

const offsets = (log: PartitionLog): number[] => {
  const found: number[] = []
  for (let at = log.startOffset; at < log.endOffset; ) {
    const { records } = log.read({ offset: at, maxBytes: 1, atLeastOneBatch: true, committedOnly: false })
    const header = readHeader(records)
    expect(records.length).toBeGreaterThanOrEqual(HEADER_BYTES)
    found.push(header.baseOffset)
    at = header.lastOffset + 1
  }
  return found
}

test('segments roll, every batch is found in them, and a new start finds the same', () => {
  const log = open()
  for (let i = 0; i < 60; i++) expect(append(log, { values: ['a', 'b'] })).toBe(i * 2)
  expect(readdirSync(folder).length).toBeGreaterThan(3)
  const all = Array.from({ length: 60 }, (_, i) => i * 2)
  expect(offsets(log)).toEqual(all)
  expect(offsets(open())).toEqual(all)
})

test('retention by size and by time removes whole old segments and keeps offsets, also over a start', () => {
  const log = open()
  for (let i = 0; i < 60; i++) append(log, { timestamp: 1000 + i })
  settings = { ...settings, retentionBytes: 2000 }
  expect(log.enforceRetention(2000)).toBe(true)
  expect(log.size).toBeGreaterThanOrEqual(2000)
  expect(log.size).toBeLessThan(4000)
  expect(log.startOffset).toBeGreaterThan(0)
  settings = { ...settings, retentionBytes: -1, retentionMs: 100 }
  expect(log.enforceRetention(1000)).toBe(false)
  expect(log.enforceRetention(2000)).toBe(true)
  expect([log.startOffset, log.endOffset]).toEqual([60, 60])
  expect(open().endOffset).toBe(60)
})

test('compacted topics keep everything', () => {
  settings = { ...settings, retentionMs: 0, deletes: false }
  const log = open()
  append(log, { timestamp: 1 })
  expect(log.enforceRetention(1e9)).toBe(false)
  expect(log.startOffset).toBe(0)
})

test('aborted transactions and producers are rebuilt from the log', () => {
  const log = open()
  const transactional = { producerId: 7, epoch: 0, attributes: 0x10 }
  append(log, { ...transactional, sequence: 0 })
  expect(log.lastStableOffset).toBe(0)
  log.endTransaction({ producerId: 7, producerEpoch: 0, commit: false, timestamp: 1 })
  append(log, { ...transactional, sequence: 1 })
  log.endTransaction({ producerId: 7, producerEpoch: 0, commit: true, timestamp: 2 })
  append(log, { ...transactional, sequence: 2 })
  for (const same of [log, open()]) {
    expect([same.endOffset, same.lastStableOffset]).toEqual([5, 4])
    const { aborted } = same.read({ offset: 0, maxBytes: 1e6, atLeastOneBatch: true, committedOnly: true })
    expect(aborted).toEqual([{ producerId: 7, firstOffset: 0, lastOffset: 1 }])
    expect(append(same, { ...transactional, sequence: 2 })).toBe(4)
    expect(() => append(same, { ...transactional, sequence: 9 })).toThrow(/sequence 9, expected 3/)
    expect(() => append(same, { producerId: 7, epoch: -1, sequence: 0 })).toThrow(/epoch/)
  }
})
