import { returnsRows } from '../../../cli/commands/sql'

test.each([
  'SELECT 1',
  '  (select 1) union all (select 2)',
  '/* how many\n rows */ SELECT count() FROM t',
  '-- a remark\nFROM t SELECT a',
  'WITH 1 AS x SELECT x',
  'SHOW TABLES',
])('%j answers with rows', statement => {
  expect(returnsRows(statement)).toBe(true)
})

test.each(['DROP TABLE t', 'CREATE TABLE t (a Int8) ENGINE = Memory', 'INSERT INTO t SELECT 1', '/* SELECT */ TRUNCATE TABLE t'])(
  '%j is only done',
  statement => {
    expect(returnsRows(statement)).toBe(false)
  },
)
