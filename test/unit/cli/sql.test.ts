import { returnsRows, statementsOf } from '../../../cli/commands/sql'

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

test.each([
  ['SELECT 1', ['SELECT 1']],
  ['SELECT 1;', ['SELECT 1']],
  ['DROP VIEW a; DROP TABLE `b;c` ;\n SELECT 1 -- one; two', ['DROP VIEW a', 'DROP TABLE `b;c`', 'SELECT 1 -- one; two']],
  [`SELECT ';' AS "x;y" /* a; b */; -- nothing;`, [`SELECT ';' AS "x;y" /* a; b */`]],
  [' ; ', [' ; ']],
  ["SELECT 'a; b", ["SELECT 'a; b"]],
])('%j is several statements', (text, statements) => {
  expect(statementsOf(text)).toEqual(statements)
})
