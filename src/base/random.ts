import { UsageError } from './errors.ts'

const MULTIPLIER_0 = 0xd2511f53
const MULTIPLIER_1 = 0xcd9e8d57
const WEYL_0 = 0x9e3779b9
const WEYL_1 = 0xbb67ae85
const ROUNDS = 10

const TWO_POW_32 = 2 ** 32
const TWO_POW_MINUS_24 = 2 ** -24
const TWO_POW_MINUS_32 = 2 ** -32

/**
 * The upper 32 bits of the 64-bit product of two 32-bit words; the lower ones are `Math.imul`'s.
 */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = (Math.imul(aHigh, bLow) >>> 0) + (Math.imul(aLow, bLow) >>> 16)
  const carry = (Math.imul(aLow, bHigh) >>> 0) + (middle & 0xffff)
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (carry >>> 16)) | 0
}

/** Writes the four words of one block into `out`. */
function block(
  out: Uint32Array,
  counter0: number,
  counter1: number,
  counter2: number,
  counter3: number,
  seed0: number,
  seed1: number,
): void {
  let c0 = counter0 | 0
  let c1 = counter1 | 0
  let c2 = counter2 | 0
  let c3 = counter3 | 0
  let k0 = seed0 | 0
  let k1 = seed1 | 0
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0)
    const low0 = Math.imul(MULTIPLIER_0, c0)
    const high1 = multiplyHigh(MULTIPLIER_1, c2)
    const low1 = Math.imul(MULTIPLIER_1, c2)
    c0 = high1 ^ c1 ^ k0
    c1 = low1
    c2 = high0 ^ c3 ^ k1
    c3 = low0
    k0 = (k0 + WEYL_0) | 0
    k1 = (k1 + WEYL_1) | 0
  }
  out[0] = c0
  out[1] = c1
  out[2] = c2
  out[3] = c3
}

/**
 * Philox4x32-10: four random 32-bit words from a counter and a key, without any state. Neighboring
 * counters give unrelated words, so that value number i of a sequence can be computed anywhere, in
 * any order.
 *
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, and
 * its library Random123.
 *
 * @param counter four words, the least significant first; each is taken modulo 2^32
 * @param key two words
 * @returns four unsigned 32-bit integers
 * @example
 * philox4x32([0, 0, 0, 0], [0, 0])   // [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]
 */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  const out = new Uint32Array(4)
  block(out, counter[0], counter[1], counter[2], counter[3], key[0], key[1])
  const [a = 0, b = 0, c = 0, d = 0] = out
  return [a, b, c, d]
}

/**
 * @throws UsageError unless a seed is one that `Random` takes: for what draws its first number only
 * later
 */
export function requireSeed(seed: number, name = 'seed'): void {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new UsageError(`${name} is ${seed}: give a non-negative integer up to 2^53 - 1`)
}

/**
 * A sequence of random numbers from a seed: Philox4x32-10 with the seed as key, the block's number
 * in the counter's lower two words and the stream in the upper two. Sequences of one seed and
 * different streams do not overlap.
 *
 * Integers, uniform values and shuffles are the same bits on every machine. Normal values go
 * through `Math.log`, `Math.cos` and `Math.sin`, which JavaScript leaves to the engine: they repeat
 * exactly on one engine and may differ in the last bit between two.
 *
 * @example
 * const random = new Random(42)
 * random.shuffle(names)
 * random.fillNormal(weights, 0, 0.01)
 */
export class Random {
  readonly #seedLow: number
  readonly #seedHigh: number
  readonly #streamLow: number
  readonly #streamHigh: number
  readonly #words = new Uint32Array(4)
  #blockNumber = 0
  #used = 4
  #spareNormal: number | null = null

  /**
   * @param seed any non-negative safe integer
   * @param stream which of the seed's sequences, any non-negative safe integer
   * @throws UsageError for anything else
   */
  constructor(seed: number, stream = 0) {
    requireSeed(seed)
    requireSeed(stream, 'stream')
    this.#seedLow = seed >>> 0
    this.#seedHigh = Math.floor(seed / TWO_POW_32)
    this.#streamLow = stream >>> 0
    this.#streamHigh = Math.floor(stream / TWO_POW_32)
  }

  /** An integer in 0 … 2^32 - 1, each equally likely. */
  uint32(): number {
    if (this.#used === 4) {
      const high = Math.floor(this.#blockNumber / TWO_POW_32)
      block(
        this.#words,
        this.#blockNumber,
        high,
        this.#streamLow,
        this.#streamHigh,
        this.#seedLow,
        this.#seedHigh,
      )
      this.#blockNumber++
      this.#used = 0
    }
    return this.#words[this.#used++] as number
  }

  /**
   * An integer in 0 … n - 1, each exactly equally likely: what lies in the incomplete last run of n
   * below 2^32 is drawn again.
   *
   * @throws UsageError unless n is an integer in 1 … 2^32
   */
  below(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO_POW_32)
      throw new UsageError(`n is ${n}: give an integer from 1 to 2^32`)
    const limit = TWO_POW_32 - (TWO_POW_32 % n)
    let value = this.uint32()
    while (value >= limit) value = this.uint32()
    return value % n
  }

  /** A value in [0, 1): a multiple of 2^-24, so that it is exact in float32 too. */
  uniform(): number {
    return (this.uint32() >>> 8) * TWO_POW_MINUS_24
  }

  /**
   * A value of the standard normal distribution, by the Box–Muller transform; none is further out
   * than 6.7.
   *
   * Source: Box, Muller, "A note on the generation of random normal deviates", 1958.
   */
  normal(): number {
    if (this.#spareNormal !== null) {
      const value = this.#spareNormal
      this.#spareNormal = null
      return value
    }
    const radius = Math.sqrt(-2 * Math.log((this.uint32() + 1) * TWO_POW_MINUS_32))
    const angle = 2 * Math.PI * (this.uint32() * TWO_POW_MINUS_32)
    this.#spareNormal = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  /** Puts an array into random order in place, every order equally likely (Fisher–Yates). */
  shuffle<T>(array: { readonly length: number; [index: number]: T }): void {
    for (let last = array.length - 1; last > 0; last--) {
      const other = this.below(last + 1)
      const value = array[last] as T
      array[last] = array[other] as T
      array[other] = value
    }
  }

  /** Fills `out` with values uniform in [lo, hi); rounding to float32 may reach hi itself. */
  fillUniform(out: Float32Array, lo: number, hi: number): void {
    const range = hi - lo
    for (let i = 0; i < out.length; i++) out[i] = lo + range * this.uniform()
  }

  /** Fills `out` with normal values of the given mean and standard deviation. */
  fillNormal(out: Float32Array, mean: number, std: number): void {
    for (let i = 0; i < out.length; i++) out[i] = mean + std * this.normal()
  }
}
