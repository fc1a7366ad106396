import fc from 'fast-check'
import { createColumn } from '../../../runtime/column'
import { type DataType, type Field, field, timestamp } from '../../../runtime/schema'
import { appendEmpty, appendValue, type Value, valueAt } from '../../../runtime/value'

const column = (
  type: DataType | 'i32' | 'i64' | 'f32' | 'f64' | 'bool' | 'utf8' | 'bytes' | 'json' | 'date' | 'uuid' | 'dictionary',
  nullable = false,
) => createColumn(field('c', type, nullable))

const stored = (type: Parameters<typeof column>[0], value: unknown, nullable = false): Value => {
  const c = column(type, nullable)
  appendValue(c, value)
  return valueAt(c, 0)
}

const refused = (type: Parameters<typeof column>[0], value: unknown): string => {
  const c = column(type)
  try {
    appendValue(c, value)
  } catch (error) {
    expect(c.length).toBe(0)
    return (error as { code: string }).code
  }
  return 'accepted'
}

describe('what goes in comes out', () => {
  const text = fc.string({ unit: 'grapheme' })
  const cases: readonly (readonly [string, DataType, fc.Arbitrary<unknown>])[] = [
    ['bool', { kind: 'bool' }, fc.boolean()],
    ['i32', { kind: 'i32' }, fc.integer()],
    ['i64 as number', { kind: 'i64' }, fc.maxSafeInteger()],
    ['f64', { kind: 'f64' }, fc.double()],
    ['f32', { kind: 'f32' }, fc.float()],
    ['utf8', { kind: 'utf8' }, text],
    ['bytes', { kind: 'bytes' }, fc.uint8Array().map(b => Buffer.from(b))],
    ['fixed', { kind: 'fixed', size: 3 }, fc.uint8Array({ minLength: 3, maxLength: 3 }).map(b => Buffer.from(b))],
    ['uuid', { kind: 'uuid' }, fc.uuid()],
    ['dictionary', { kind: 'dictionary' }, text],
    ['list', { kind: 'list', item: field('item', 'i32', true) }, fc.array(fc.option(fc.integer()))],
    ['map', { kind: 'map', value: field('value', 'utf8') }, fc.dictionary(text, text).map(o => new Map(Object.entries(o)))],
    [
      'struct of list',
      { kind: 'struct', fields: [field('a', 'i32', true), field('b', { kind: 'list', item: field('item', 'utf8') })] },
      fc.record({ a: fc.option(fc.integer()), b: fc.array(text) }),
    ],
  ]
  test.each(cases)('%s', (_, type, values) => {
    fc.assert(
      fc.property(fc.array(fc.option(values)), rows => {
        const c = column(type, true)
        for (const row of rows) appendValue(c, row)
        expect(c.length).toBe(rows.length)
        expect(rows.map((_, i) => valueAt(c, i))).toEqual(rows)
      }),
      { numRuns: 50 },
    )
  })

  test('64-bit integers of any size', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), value => {
        expect(BigInt(stored('i64', value) as number | bigint)).toBe(value)
      }),
    )
    expect(stored('i64', 2n ** 53n - 1n)).toBe(2 ** 53 - 1)
    expect(stored('i64', 2n ** 53n)).toBe(2n ** 53n)
    expect(stored('i64', -(2n ** 53n))).toBe(-(2n ** 53n))
  })

  test('decimals of 38 digits', () => {
    const type: DataType = { kind: 'decimal', precision: 38, scale: 2 }
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 36n) + 1n, max: 10n ** 36n - 1n }),
        fc.integer({ min: 0, max: 99 }),
        (whole, cents) => {
          const value = `${whole}.${String(cents).padStart(2, '0')}`
          expect(stored(type, value)).toBe(value)
        },
      ),
    )
    expect(stored(type, '-0.05')).toBe('-0.05')
    expect(stored(type, '12.3')).toBe('12.30')
    expect(stored(type, 7n)).toBe('7.00')
    expect(stored(type, '1.5e1')).toBe('15.00')
    expect(stored({ kind: 'decimal', precision: 3, scale: 0 }, 12)).toBe('12')
  })

  test('dates in the unit of the column', () => {
    const date = new Date('2014-02-14T14:30:00.250Z')
    expect(stored(timestamp('ms'), date)).toBe(1392388200250)
    expect(stored(timestamp('s'), date)).toBe(1392388200)
    expect(stored(timestamp('us'), date)).toBe(1392388200250000)
    expect(stored(timestamp('ns'), date)).toBe(1392388200250000000n)
    expect(stored(timestamp('s'), new Date(-500))).toBe(-1)
  })

  test('keys that a plain object would move or lose', () => {
    const type: DataType = { kind: 'map', value: field('value', 'i32') }
    const map = new Map([
      ['b', 1],
      ['1', 2],
      ['__proto__', 3],
    ])
    expect([...(stored(type, map) as ReadonlyMap<string, Value>)]).toEqual([...map])
    const struct: DataType = { kind: 'struct', fields: [field('__proto__', 'i32')] }
    const value = stored(struct, new Map([['__proto__', 5]])) as object
    expect(Object.getOwnPropertyDescriptor(value, '__proto__')?.value).toBe(5)
  })
})

describe('what is refused, with the column unchanged', () => {
  test.each<[Parameters<typeof column>[0], unknown, string]>([
    ['i32', 2147483648, 'D005_OUT_OF_RANGE'],
    ['i32', -2147483649n, 'D005_OUT_OF_RANGE'],
    ['i32', 1.5, 'D005_OUT_OF_RANGE'],
    ['i32', Number.NaN, 'D005_OUT_OF_RANGE'],
    ['i32', '1', 'D006_WRONG_TYPE'],
    ['i64', 2n ** 63n, 'D005_OUT_OF_RANGE'],
    ['i64', -(2n ** 63n) - 1n, 'D005_OUT_OF_RANGE'],
    ['i64', 2 ** 53, 'D005_OUT_OF_RANGE'],
    ['f32', 1e300, 'D005_OUT_OF_RANGE'],
    ['f64', 2n ** 53n + 1n, 'D005_OUT_OF_RANGE'],
    ['f64', '1', 'D006_WRONG_TYPE'],
    ['bool', 1, 'D006_WRONG_TYPE'],
    ['utf8', 1, 'D006_WRONG_TYPE'],
    ['utf8', 'a\ud800', 'D006_WRONG_TYPE'],
    ['utf8', Buffer.from('a'), 'D006_WRONG_TYPE'],
    ['bytes', 'a', 'D006_WRONG_TYPE'],
    ['uuid', 'not one', 'D006_WRONG_TYPE'],
    ['utf8', null, 'D008_NULL'],
    ['utf8', undefined, 'D008_NULL'],
    [{ kind: 'fixed', size: 2 }, Buffer.from('abc'), 'D005_OUT_OF_RANGE'],
    [{ kind: 'decimal', precision: 4, scale: 2 }, '100.00', 'D005_OUT_OF_RANGE'],
    [{ kind: 'decimal', precision: 4, scale: 2 }, '1.234', 'D005_OUT_OF_RANGE'],
    [{ kind: 'decimal', precision: 4, scale: 2 }, 'x', 'D006_WRONG_TYPE'],
    [{ kind: 'dictionary', symbols: ['a', 'b'] }, 'c', 'D005_OUT_OF_RANGE'],
    [{ kind: 'time', unit: 'ms' }, 86_400_000, 'D005_OUT_OF_RANGE'],
    [{ kind: 'time', unit: 'us' }, -1, 'D005_OUT_OF_RANGE'],
    [timestamp('ms'), '2014-02-14', 'D006_WRONG_TYPE'],
    [timestamp('ms'), new Date(Number.NaN), 'D006_WRONG_TYPE'],
    [{ kind: 'list', item: field('item', 'i32') }, 'abc', 'D006_WRONG_TYPE'],
    [{ kind: 'struct', fields: [field('a', 'i32')] }, { a: 1, b: 2 }, 'D006_WRONG_TYPE'],
    [{ kind: 'struct', fields: [field('a', 'i32')] }, {}, 'D008_NULL'],
  ])('%p <- %p: %s', (type, value, code) => expect(refused(type, value)).toBe(code))

  test('a bad item deep inside takes back what was already written', () => {
    const inner: Field = field('item', {
      kind: 'list',
      item: field('item', { kind: 'struct', fields: [field('s', 'utf8'), field('n', 'i32')] }),
    })
    const c = column({ kind: 'list', item: inner })
    appendValue(c, [[{ s: 'kept', n: 1 }]])
    expect(() => appendValue(c, [[{ s: 'lost', n: 2 }], [{ s: 'bad', n: 'x' }]])).toThrow()
    appendValue(c, [[], [{ s: 'next', n: 3 }]])
    expect([valueAt(c, 0), valueAt(c, 1)]).toEqual([[[{ s: 'kept', n: 1 }]], [[], [{ s: 'next', n: 3 }]]])
  })
})

test('an empty row is null where it may be, else zero', () => {
  const kinds: readonly [DataType, Value][] = [
    [{ kind: 'i64' }, 0],
    [{ kind: 'utf8' }, ''],
    [{ kind: 'dictionary' }, ''],
    [{ kind: 'dictionary', symbols: ['a'] }, 'a'],
    [{ kind: 'decimal', precision: 5, scale: 1 }, '0.0'],
    [
      { kind: 'struct', fields: [field('a', 'i32'), field('b', 'utf8', true)] },
      { a: 0, b: null },
    ],
    [{ kind: 'map', value: field('value', 'i32') }, new Map()],
  ]
  for (const [type, zero] of kinds) {
    const plain = column(type)
    const nullable = column(type, true)
    appendEmpty(plain)
    appendEmpty(nullable)
    expect([valueAt(plain, 0), valueAt(nullable, 0)]).toEqual([zero, null])
  }
})
