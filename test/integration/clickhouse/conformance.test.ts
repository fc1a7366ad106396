import { connectionConfig } from '../../../connectors/clickhouse/config'
import { clickhouseConnector } from '../../../connectors/clickhouse/plugin'
import { conforms } from '../../support/conformance'
import { Harness } from './harness'

/** The shared suite of sinks against a server; each test has a table of its own. */

const DATABASE = 'conformance'
let harness: Harness
beforeAll(async () => {
  harness = await Harness.start(DATABASE)
})
afterAll(() => harness?.stop())

let tables = 0
for (const declaration of clickhouseConnector) {
  if (declaration.kind !== 'sink') continue
  conforms(declaration, {
    sink: () => {
      const table = `t${tables++}`
      return {
        config: { table, order_by: ['id'] },
        connection: connectionConfig.parse({ url: harness.service.address, database: DATABASE }),
        connectionName: 'clickhouse',
        ids: async () => (await harness.store.query(`SELECT id FROM ${table}`)).map(row => Number(row.id)),
      }
    },
  })
}
