// looked up once: a global costs a jest sandbox many times what it costs elsewhere
const { cos, imul, log, PI, sqrt } = Math

/** Mulberry32 by Tommy Ettinger, public domain: seeded, 0 <= x < 1. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = imul(state ^ (state >>> 15), state | 1)
    t ^= t + imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Standard normal values (Box and Muller 1958). */
export const normals = (random: () => number) => (): number => sqrt(-2 * log(1 - random())) * cos(2 * PI * random())
