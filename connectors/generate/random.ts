/**
 * Random numbers by counter: a value is a hash of (stream, key, tick) and of nothing else, so any record can be made again
 * without the ones before it. The hash is MurmurHash3_x86_32 (Austin Appleby, public domain) over the words key, tick mod 2^32
 * and tick / 2^32, with the stream as its seed.
 */

const word = (h: number, value: number): number => {
  let k = Math.imul(value, 0xcc9e2d51)
  k = (k << 15) | (k >>> 17)
  h ^= Math.imul(k, 0x1b873593)
  h = (h << 13) | (h >>> 19)
  return (Math.imul(h, 5) + 0xe6546b64) | 0
}

/** 32 bits for a key and a tick (integer, 0..2^53) of a stream, as a signed integer. */
export function hash(stream: number, key: number, tick: number): number {
  let h = word(stream, key | 0)
  h = word(h, tick | 0)
  h = word(h, Math.floor(tick / 4294967296))
  h ^= 12
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** A double in [0, 1) with 32 random bits. */
export const uniform = (stream: number, key: number, tick: number): number => (hash(stream, key, tick) >>> 0) / 4294967296

/** A double in [0, 1) with 53 random bits. */
export const uniform53 = (stream: number, key: number, tick: number): number => {
  const high = hash(stream, key, tick) >>> 5
  const low = hash(stream ^ 0x5bd1e995, key, tick) >>> 6
  return (high * 67108864 + low) / 9007199254740992
}

/** Standard normal, by Box and Muller (1958). */
export const normal = (stream: number, key: number, tick: number): number => {
  // 1 - u is in (0, 1], so the logarithm is finite
  const u = 1 - uniform(stream, key, tick)
  const v = uniform(stream ^ 0x27d4eb2f, key, tick)
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v)
}

/** The seed of a named stream (a field, or a part of one): FNV-1a over the name, mixed with the seed of the source. */
export function streamOf(seed: number, name: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193)
  return hash(h, seed | 0, Math.abs(seed))
}
