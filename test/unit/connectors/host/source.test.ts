import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { cpuOf, disksOf, memoryOf, netOf, readCounters } from '../../../../connectors/host/counters'
import { Journal } from '../../../../connectors/host/journal'
import { hostConnector } from '../../../../connectors/host/plugin'
import { readingOf } from '../../../../connectors/host/reading'
import { readSource } from '../../../support/local_source'
import { temporaryFolder } from '../../../support/temporary_folder'

// What Linux 6.8 on a machine with two cores shows in /proc, shortened.
const STAT = `cpu  1334190 88 215273 1323957 7150 0 5999 2205 0 0
cpu0 657742 54 100600 681105 1953 0 1488 1117 0 0
cpu1 676448 33 114673 642852 5197 0 4511 1088 0 0
ctxt 46653503
`
const MEMINFO = `MemTotal:       24684084 kB
MemFree:        18944480 kB
MemAvailable:   22162344 kB
`
const NET = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 77529558676 3507890    0    0    0     0          0         0 77529558676 3507890    0    0    0     0       0          0
  eth0: 1000    10    0    0    0     0          0         0        300       5    0    0    0     0       0          0
enp3s0:7    1    0    0    0     0          0         0        40       5    0    0    0     0       0          0
`
const DISKS = `   7       0 loop0 0 0 8 0 0 0 8 0 0 0 0 0 0 0 0 0 0
 254       0 vda 743070 78001 38938658 1273134 2047872 567420 70157328 871738 0 323336 2385163 828199 216 51344872 140091 521315 100198
 254       1 vda1 743070 78001 38938658 1273134 2047872 567420 70157328 871738 0 323336 2385163 828199 216 51344872 140091 521315 100198
 252       0 dm-0 743070 78001 38938658 1273134 2047872 567420 70157328 871738 0 323336 2385163 828199 216 51344872 140091 521315 100198
`

test('counters of /proc', () => {
  expect(cpuOf(STAT)).toEqual({
    cpu: {
      busy: 1334190 + 88 + 215273 + 5999 + 2205,
      all: 1334190 + 88 + 215273 + 1323957 + 7150 + 5999 + 2205,
    },
    cores: [
      { busy: 657742 + 54 + 100600 + 1488 + 1117, all: 657742 + 54 + 100600 + 681105 + 1953 + 1488 + 1117 },
      { busy: 676448 + 33 + 114673 + 4511 + 1088, all: 676448 + 33 + 114673 + 642852 + 5197 + 4511 + 1088 },
    ],
  })
  expect(memoryOf(MEMINFO)).toEqual({ used: (24684084 - 22162344) * 1024, total: 24684084 * 1024 })
  expect(netOf(NET)).toEqual({ received: 1007, sent: 340 })
  expect(disksOf(DISKS, ['loop0', 'vda', 'dm-0'])).toEqual({ read: 38938658 * 512, written: 70157328 * 512 })
})

test('this machine tells something sensible', async () => {
  const { cpu, cores, memory } = await readCounters()
  expect(cores.length).toBeGreaterThan(0)
  expect(cpu.busy).toBeGreaterThan(0)
  expect(cpu.all).toBeGreaterThanOrEqual(cpu.busy)
  expect(memory.used).toBeGreaterThan(0)
  expect(memory.total).toBeGreaterThan(memory.used)
})

test('a reading is the difference of two looks, by the time between them', () => {
  const idle = { busy: 50, all: 500 }
  const before = {
    ...{ cpu: { busy: 100, all: 1000 }, cores: [idle, idle], memory: { used: 0, total: 1 } },
    ...{ net: { received: 1000, sent: 50 }, disk: null },
  }
  const now = {
    ...{ cpu: { busy: 150, all: 1200 }, cores: [idle, { busy: 95, all: 550 }], memory: { used: 1, total: 3 } },
    ...{ net: { received: 5000, sent: 10 }, disk: null },
  }
  expect(readingOf(before, { ...now, cores: [idle] }, 7, 2).core).toBeNull()
  expect(readingOf(before, now, 7, 2)).toEqual({
    ts: 7,
    cpu: 25,
    core: 90,
    memory: 33.33,
    net_in: 2000,
    net_out: 0,
    disk_read: null,
    disk_write: null,
  })
})

const { path: root } = temporaryFolder()

test('what was read and not delivered comes again after a crash, then new readings', async () => {
  const dataDir = `${root}/crash`
  const first = await readSource(hostConnector, { interval: '10ms', count: 5 }, { dataDir })
  // a line cut off by a crash was never delivered
  appendFileSync(`${dataDir}/host/conformance/flow.ndjson`, '{"offset":5,"ts":17')
  const again = await readSource(hostConnector, { interval: '10ms', count: 8 }, { dataDir, from: 2 })
  expect(again.rows).toHaveLength(6)
  expect(again.rows.slice(0, 3)).toEqual(first.rows.slice(2))
  const times = [...first.rows, ...again.rows.slice(3)].map(r => Date.parse(String(r.ts)))
  // what was cut off does not stand before what came after it
  expect((await Journal.open(`${dataDir}/host/conformance/flow.ndjson`)).end).toBe(8)
  expect(times.every((t, i) => t % 10 === 0 && (i === 0 || t > times[i - 1]))).toBe(true)
})

test('the journal drops what is stored elsewhere, and nothing that may be asked for', async () => {
  const file = `${root}/journal.ndjson`
  const reading = { ts: 1, cpu: 0, core: null, memory: 0, net_in: null, net_out: null, disk_read: null, disk_write: null }
  const line = (offset: number) => `${JSON.stringify({ offset, ...reading, ts: offset })}\n`
  writeFileSync(file, Array.from({ length: 8_192 }, (_, i) => line(100 + i)).join(''))
  const journal = await Journal.open(file)
  await journal.append({ ...reading, ts: 8_292 }, 4_000)
  expect(journal.first).toBe(100)
  await journal.append({ ...reading, ts: 8_293 }, 8_000)
  expect([journal.first, journal.end]).toEqual([8_000, 8_294])
  expect(journal.read(8_292, 10).map(r => r.ts)).toEqual([8_292, 8_293])
  expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(295)
})

test('a damaged journal is refused', async () => {
  const file = `${root}/damaged.ndjson`
  writeFileSync(file, '{"offset":1,"ts":1}\n{"offset":3,"ts":1}\n')
  await expect(Journal.open(file)).rejects.toMatchObject({ code: 'P001_POSITION_STOP' })
  writeFileSync(file, 'x\n')
  await expect(Journal.open(file)).rejects.toMatchObject({ code: 'P001_POSITION_STOP' })
})
