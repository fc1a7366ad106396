import { Broker, HOST } from './broker'
import type { BrokerOptions } from './options'
import { listen } from './server'

export interface RunningBroker {
  /** host:port */
  readonly address: string
  /** Ends all connections, then closes all files. */
  readonly close: () => Promise<void>
}

/** Opens the folder, which nobody else may have open, and listens. Throws the system's error where the port cannot be had. */
export const startBroker = async (options: BrokerOptions, log: (line: string) => void): Promise<RunningBroker> => {
  const broker = new Broker(options, log)
  try {
    const listener = await listen(broker, HOST, options.port)
    broker.advertise(listener.port)
    const close = async (): Promise<void> => {
      await listener.close()
      broker.close()
    }
    return { address: `${HOST}:${listener.port}`, close }
  } catch (error) {
    broker.close()
    throw error
  }
}
