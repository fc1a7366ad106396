import { TOPIC_CONFIGS } from '../topics/topic_config'

/** Codes of DescribeConfigs: where a value comes from, and what it is. */
export const ConfigSource = { topic: 1, staticBroker: 4, default: 5 } as const
const TYPES = { boolean: 1, string: 2, int: 3, long: 5, double: 6, list: 7 } as const

export interface ConfigEntry {
  readonly name: string
  readonly value: string
  readonly source: number
  readonly type: number
}

/** All configs of a topic with their values in force. */
export const configEntries = (own: Readonly<Record<string, string>>): ConfigEntry[] => {
  return Object.entries(TOPIC_CONFIGS).map(([name, key]) => {
    const set = own[name]
    const source = set === undefined ? ConfigSource.default : ConfigSource.topic
    return { name, value: set ?? key.default, source, type: TYPES[key.type] }
  })
}

/** What a client may look at of the broker itself; nothing of it can be changed while it runs. */
export const brokerEntries = (values: Readonly<Record<string, string>>): ConfigEntry[] => {
  return Object.entries(values).map(([name, value]) => ({ name, value, source: ConfigSource.staticBroker, type: TYPES.string }))
}
