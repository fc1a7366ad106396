import { randomBytes } from 'node:crypto'
import { murmur2, partitionOf } from '../../../../connectors/kafka/murmur2'
import { javaPartitioner } from '../../../support/kafka'

// org.apache.kafka.common.utils.UtilsTest#testMurmur2
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of %s is what Java says', (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash)
})

test('the partition is the one kafkajs chooses', () => {
  const choose = javaPartitioner()
  for (let i = 0; i < 500; i++) {
    const key = randomBytes(i % 40)
    const partitionMetadata = Array.from({ length: 1 + (i % 13) }, (_, partitionId) => ({ partitionId, leader: 0 }))
    const theirs = choose({ topic: 't', partitionMetadata: partitionMetadata as never, message: { key, value: null } })
    expect(partitionOf(key, partitionMetadata.length)).toBe(theirs)
  }
})
