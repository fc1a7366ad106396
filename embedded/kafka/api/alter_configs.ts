import { ErrorCode, ProtocolError } from '../errors'
import { checkTopicConfig, TOPIC_CONFIGS } from '../topics/topic_config'
import type { Api, Call } from './api'
import { ResourceType } from './resource_type'

interface Change {
  readonly name: string
  /** 0 set, 1 delete, 2 append to a list, 3 subtract from a list */
  readonly operation: number
  readonly value: string | null
}

interface Resource {
  readonly type: number
  readonly name: string
  readonly changes: readonly Change[]
}

type Configs = Readonly<Record<string, string>>

const applied = (configs: Configs, { name, operation, value }: Change): Configs => {
  const { [name]: current, ...others } = configs
  const key = TOPIC_CONFIGS[name]
  if (key === undefined) throw new ProtocolError(ErrorCode.INVALID_CONFIG, `${name}: unknown topic config`)
  if (operation === 1 || (operation === 0 && value === null)) return others
  if (operation === 0) return { ...others, [name]: value ?? '' }
  if (key.type !== 'list') throw new ProtocolError(ErrorCode.INVALID_CONFIG, `${name} is not a list`)
  const words = (current ?? key.default).split(',').filter(word => word !== '')
  const given = (value ?? '').split(',').filter(word => word !== '')
  if (operation === 2) return { ...others, [name]: [...words, ...given.filter(word => !words.includes(word))].join(',') }
  if (operation === 3) return { ...others, [name]: words.filter(word => !given.includes(word)).join(',') }
  throw new ProtocolError(ErrorCode.INVALID_REQUEST, `config operation ${operation} is unknown`)
}

const alter = ({ broker }: Call, resource: Resource, replace: boolean, validateOnly: boolean): void => {
  if (resource.type !== ResourceType.topic)
    throw new ProtocolError(ErrorCode.INVALID_REQUEST, 'only topic configs can be changed here')
  const topic = broker.topics.get(resource.name)
  if (topic === undefined) throw new ProtocolError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `no topic '${resource.name}'`)
  const configs = resource.changes.reduce(applied, replace ? {} : topic.configs)
  for (const [name, value] of Object.entries(configs)) checkTopicConfig(name, value)
  if (!validateOnly) broker.topics.configure(topic.name, configs)
}

const handler =
  (incremental: boolean): Api['handle'] =>
  async call => {
    const { body, reply } = call
    const resources = body.array((): Resource => {
      const type = body.int8()
      const name = body.string()
      const changes = body.array((): Change => {
        const change = { name: body.string(), operation: incremental ? body.int8() : 0, value: body.nullableString() }
        body.tags()
        return change
      })
      body.tags()
      return { type, name, changes }
    })
    const validateOnly = body.boolean()
    body.tags()
    reply.int32(0)
    reply.array(resources, resource => {
      let error: ErrorCode = ErrorCode.NONE
      let message: string | null = null
      try {
        alter(call, resource, !incremental, validateOnly)
      } catch (refused) {
        if (!(refused instanceof ProtocolError)) throw refused
        error = refused.code
        message = refused.message
      }
      reply.int16(error)
      reply.string(message)
      reply.int8(resource.type)
      reply.string(resource.name)
      reply.tags()
    })
    reply.tags()
    return 'reply'
  }

/** Replaces all configs of a topic: those not named fall back to their defaults. */
export const alterConfigs: Api = { key: 33, name: 'AlterConfigs', versions: [0, 2], flexibleFrom: 2, handle: handler(false) }

export const incrementalAlterConfigs: Api = {
  key: 44,
  name: 'IncrementalAlterConfigs',
  versions: [0, 1],
  flexibleFrom: 1,
  handle: handler(true),
}
