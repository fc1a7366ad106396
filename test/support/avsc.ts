import avro from 'avsc'

/** avsc as tests use it, to hold our own Avro against. */

/** 64-bit integers as BigInt: avsc's own are doubles. */
export const longType = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (n: bigint) => {
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64LE(n)
    return buffer
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (n: unknown) => typeof n === 'bigint',
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
})

/** Unions carry the name of their branch, so that a value says which one it is; logical types show the type beneath. */
export const avscType = (schema: unknown): avro.Type =>
  avro.Type.forSchema(schema as avro.Schema, {
    wrapUnions: true,
    typeHook: part => ((typeof part === 'object' && 'type' in part ? part.type : part) === 'long' ? longType : undefined),
  })
