/** Resource types of the config APIs. */
export const ResourceType = { topic: 2, broker: 4 } as const
