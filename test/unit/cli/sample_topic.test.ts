import { withoutRegistry } from '../../../cli/sample_topic'
import { ConnectError } from '../../../runtime/errors'

test('a registry that nobody named and that does not answer: how to name one', () => {
  const away = new ConnectError('E001_UNREACHABLE', 'http://localhost:8081 does not answer')
  const told = withoutRegistry(away, 'http://localhost:8081')
  expect(told).toMatchObject({ code: away.code, message: away.message, cause: away })
  expect((told as ConnectError).hint).toBe(
    'nobody named a schema registry, so it was http://localhost:8081: --registry URL or the variable SCHEMA_REGISTRY_URL names another',
  )
  const ours = new TypeError('a mistake of ours')
  expect(withoutRegistry(ours, 'http://localhost:8081')).toBe(ours)
})
