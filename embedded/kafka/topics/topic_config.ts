import { ErrorCode, ProtocolError } from '../errors'
import type { LogSettings } from '../log/partition_log'

type ConfigType = 'boolean' | 'string' | 'int' | 'long' | 'double' | 'list'

interface ConfigKey {
  readonly type: ConfigType
  readonly default: string
  readonly allowed?: readonly string[]
  readonly min?: number
}

const LONG_MAX = '9223372036854775807'

/**
 * Topic configs that are accepted, with Apache Kafka's defaults (https://kafka.apache.org/documentation/#topicconfigs).
 * Those that this broker acts on are read in `topicSettings`; the others are kept and shown, without effect.
 */
export const TOPIC_CONFIGS: Readonly<Record<string, ConfigKey>> = {
  'cleanup.policy': { type: 'list', default: 'delete', allowed: ['delete', 'compact'] },
  'compression.gzip.level': { type: 'int', default: '-1' },
  'compression.lz4.level': { type: 'int', default: '9' },
  'compression.type': {
    type: 'string',
    default: 'producer',
    allowed: ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'],
  },
  'compression.zstd.level': { type: 'int', default: '3' },
  'delete.retention.ms': { type: 'long', default: '86400000', min: 0 },
  'file.delete.delay.ms': { type: 'long', default: '60000', min: 0 },
  'flush.messages': { type: 'long', default: LONG_MAX, min: 1 },
  'flush.ms': { type: 'long', default: LONG_MAX, min: 0 },
  'follower.replication.throttled.replicas': { type: 'list', default: '' },
  'index.interval.bytes': { type: 'int', default: '4096', min: 0 },
  'leader.replication.throttled.replicas': { type: 'list', default: '' },
  'max.compaction.lag.ms': { type: 'long', default: LONG_MAX, min: 1 },
  'max.message.bytes': { type: 'int', default: '1048588', min: 0 },
  'message.timestamp.after.max.ms': { type: 'long', default: '3600000', min: 0 },
  'message.timestamp.before.max.ms': { type: 'long', default: LONG_MAX, min: 0 },
  'message.timestamp.type': { type: 'string', default: 'CreateTime', allowed: ['CreateTime', 'LogAppendTime'] },
  'min.cleanable.dirty.ratio': { type: 'double', default: '0.5', min: 0 },
  'min.compaction.lag.ms': { type: 'long', default: '0', min: 0 },
  'min.insync.replicas': { type: 'int', default: '1', min: 1 },
  preallocate: { type: 'boolean', default: 'false' },
  'retention.bytes': { type: 'long', default: '-1', min: -1 },
  'retention.ms': { type: 'long', default: '604800000', min: -1 },
  'segment.bytes': { type: 'int', default: '1073741824', min: 14 },
  'segment.index.bytes': { type: 'int', default: '10485760', min: 4 },
  'segment.jitter.ms': { type: 'long', default: '0', min: 0 },
  'segment.ms': { type: 'long', default: '604800000', min: 1 },
  'unclean.leader.election.enable': { type: 'boolean', default: 'false' },
}

export interface TopicSettings extends LogSettings {
  readonly maxMessageBytes: number
  readonly logAppendTime: boolean
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
}

/** Throws INVALID_CONFIG for an unknown name or a value outside its type and range. */
export const checkTopicConfig = (name: string, value: string): void => {
  const key = TOPIC_CONFIGS[name]
  if (key === undefined) throw new ProtocolError(ErrorCode.INVALID_CONFIG, `${name}: unknown topic config`)
  const refuse = (reason: string): never => {
    throw new ProtocolError(ErrorCode.INVALID_CONFIG, `${name}: ${reason}`)
  }
  if (key.type === 'boolean' && value !== 'true' && value !== 'false') refuse(`'${value}' is neither true nor false`)
  if (key.type === 'int' || key.type === 'long') {
    if (!/^-?\d{1,19}$/.test(value.trim())) refuse(`'${value}' is not a whole number`)
  }
  if (key.type === 'double' && !Number.isFinite(Number(value))) refuse(`'${value}' is not a number`)
  if (key.min !== undefined && Number(value) < key.min) refuse(`${value} is less than ${key.min}`)
  const { allowed } = key
  if (allowed !== undefined) {
    for (const word of key.type === 'list' ? value.split(',').map(part => part.trim()) : [value]) {
      if (!allowed.includes(word)) refuse(`'${word}' is not one of ${allowed.join(', ')}`)
    }
  }
}

/** What the log acts on, from a topic's own configs over the defaults. */
export const topicSettings = (configs: Readonly<Record<string, string>>): TopicSettings => {
  const text = (name: string): string => configs[name] ?? TOPIC_CONFIGS[name]?.default ?? ''
  const number = (name: string): number => Number(text(name))
  return {
    segmentBytes: number('segment.bytes'),
    retentionMs: number('retention.ms'),
    retentionBytes: number('retention.bytes'),
    deletes: text('cleanup.policy')
      .split(',')
      .some(policy => policy.trim() === 'delete'),
    maxMessageBytes: number('max.message.bytes'),
    logAppendTime: text('message.timestamp.type') === 'LogAppendTime',
    timestampBeforeMaxMs: number('message.timestamp.before.max.ms'),
    timestampAfterMaxMs: number('message.timestamp.after.max.ms'),
  }
}
