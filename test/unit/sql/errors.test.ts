import { clickHouseCode, codeOf, networkError, serverError, statusError, unknownColumn } from '../../../sql/errors'

const where = 'host:8123'
const text = (code: number, message = 'Something') =>
  `Code: ${code}. DB::Exception: ${message}. (NAME) (version 26.7.2.1 (official build))\n0. stack`

test.each([
  [241, 'S002_STORE_BUSY', true],
  [242, 'S002_STORE_BUSY', true],
  [319, 'S002_STORE_BUSY', true],
  [1001, 'S008_UNKNOWN_OUTCOME', true],
  [60, 'S003_TABLE_MISMATCH', false],
  [16, 'S003_TABLE_MISMATCH', false],
  [349, 'D014_REFUSED_BY_STORE', false],
  [516, 'E003_AUTHENTICATION', false],
  [497, 'E007_AUTHORIZATION', false],
  [62, 'S006_STATEMENT', false],
  [49, 'S001_STORE_ERROR', false], // LOGICAL_ERROR: nobody knows
  [123456, 'S001_STORE_ERROR', false],
])('ClickHouse code %i is %s', (code, ours, retriable) => {
  const error = serverError(code, text(code), where)
  expect(error).toMatchObject({ code: ours, retriable, message: 'ClickHouse at host:8123: Something. (NAME)' })
  expect(clickHouseCode(error)).toBe(code)
})

test('neither the statement nor the grammar is printed', () => {
  const scope = "Unknown expression identifier `cpuu` in scope SELECT avg(cpuu) AS a FROM t WHERE x. Maybe you meant: ['cpu']"
  expect(serverError(47, text(47, scope), where).message).toBe(
    "ClickHouse at host:8123: Unknown expression identifier `cpuu`. Maybe you meant: ['cpu']. (NAME)",
  )
  expect(unknownColumn(serverError(47, text(47, scope), where))).toBe('cpuu')
  const syntax =
    'Syntax error: failed at position 10 (FORM) (line 1, col 10): FORM t. Expected one of: token sequence, Dot, token, OR, AND'
  expect(serverError(62, text(62, syntax), where).message).toBe(
    'ClickHouse at host:8123: Syntax error: failed at position 10 (FORM) (line 1, col 10): FORM t. (NAME)',
  )
})

test('252 means two things', () => {
  expect(serverError(252, text(252, 'Too many parts (3001)'), where).code).toBe('S002_STORE_BUSY')
  expect(serverError(252, text(252, 'Too many partitions for single INSERT block (more than 100)'), where).code).toBe(
    'D014_REFUSED_BY_STORE',
  )
})

test('sockets, certificates and proxies', () => {
  const thrown = (code: string) => Object.assign(new Error(code), { code })
  expect(networkError(thrown('ECONNREFUSED'), where)).toMatchObject({ code: 'E001_UNREACHABLE', retriable: true })
  expect(networkError(thrown('ECONNRESET'), where)).toMatchObject({ code: 'E001_UNREACHABLE', retriable: true })
  expect(networkError(thrown('CERT_HAS_EXPIRED'), where).code).toBe('E009_TLS')
  expect(networkError(thrown('DEPTH_ZERO_SELF_SIGNED_CERT'), where).code).toBe('E009_TLS')
  expect(statusError(503, 'busy', where)).toMatchObject({ code: 'S002_STORE_BUSY', retriable: true })
  expect(statusError(401, 'no', where).code).toBe('E003_AUTHENTICATION')
  expect(statusError(404, 'no', where).code).toBe('S001_STORE_ERROR')
})

test('the code is found in the text', () => {
  expect(codeOf(text(27))).toBe(27)
  expect(codeOf('<html>502</html>')).toBeNull()
})
