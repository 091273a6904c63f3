import { beforeAll, describe, expect, it, vi } from 'vitest'
import { DataError, GraftError, UsageError } from '../../src/base/errors.ts'
import type { Sample } from '../../src/data/dataset.ts'
import {
  type DecodeAheadOptions,
  type DecodedSample,
  decodeAhead,
  PixelCache,
} from '../../src/data/loader.ts'
import type { Reserve } from '../../src/host/host.ts'
import { decodeImage, type RgbImage } from '../../src/host/node/decode.ts'
import { plainPng } from './images.ts'

/** The real decoder, watched. */
const decode = vi.fn(decodeImage)

const COUNT = 8
let samples: Sample[] = []
beforeAll(async () => {
  const bytes = await Promise.all(
    Array.from({ length: COUNT }, (_, i) => plainPng(i, 2 * i, 3 * i)),
  )
  samples = bytes.map((source, i) => ({ source, name: `${i}.png`, label: i % 2 }))
})

/** The samples with some replaced by what cannot be decoded. */
function withBroken(...indices: number[]): Sample[] {
  return samples.map((sample, i) =>
    indices.includes(i) ? { ...sample, source: Uint8Array.from([1, 2, 3]) } : sample,
  )
}

function refuseBroken(sample: Sample): void {
  throw new Error(`unexpectedly broken: ${sample.name}`)
}

async function collect(
  of: readonly Sample[],
  order: ArrayLike<number>,
  options: Partial<DecodeAheadOptions> = {},
): Promise<DecodedSample[]> {
  const all: DecodedSample[] = []
  for await (const one of decodeAhead(of, order, { onBroken: refuseBroken, decode, ...options }))
    all.push(one)
  return all
}

const indices = (all: readonly DecodedSample[]): number[] => all.map((one) => one.index)
const decodes = (): number => decode.mock.calls.length

describe('decodeAhead', () => {
  it.each([undefined, 1, 3, 100])('yields in the order given, with ahead %s', async (ahead) => {
    const order = [5, 0, 7, 7, 2]
    const all = await collect(samples, order, { ahead })
    expect(indices(all)).toEqual(order)
    for (const { index, sample, image } of all) {
      expect(sample).toBe(samples[index])
      expect([...image.data.subarray(0, 3)]).toEqual([index, 2 * index, 3 * index])
    }
  })

  it('takes a typed array as order, and an empty one', async () => {
    expect(indices(await collect(samples, Uint32Array.from([3, 1])))).toEqual([3, 1])
    expect(await collect(samples, [])).toEqual([])
  })

  it('decodes no further ahead than it is told', async () => {
    const before = decodes()
    const generator = decodeAhead(samples, [0, 1, 2, 3, 4, 5, 6, 7], {
      decode,
      ahead: 2,
      onBroken: refuseBroken,
    })
    expect(decodes()).toBe(before)
    await generator.next()
    expect(decodes()).toBe(before + 3)
    await generator.next()
    expect(decodes()).toBe(before + 4)
    await generator.return(undefined)
    expect(decodes()).toBe(before + 4)
  })

  it('keeps the order when later images are ready first', async () => {
    const image = { data: new Uint8Array(3), width: 1, height: 1 }
    let finishFirst = (_: RgbImage): void => {}
    decode
      .mockReturnValueOnce(new Promise((resolve) => (finishFirst = resolve)))
      .mockResolvedValueOnce(image)
    const collected = collect(samples, [4, 5], { ahead: 2 })
    await new Promise((resolve) => setImmediate(resolve))
    finishFirst(image)
    expect(indices(await collected)).toEqual([4, 5])
  })

  it('skips broken images after naming them in order', async () => {
    const broken: string[] = []
    const onBroken = (sample: Sample, error: DataError): void => {
      expect(error).toBeInstanceOf(DataError)
      broken.push(`${sample.name} ${error.message}`)
    }
    const all = await collect(withBroken(1, 4, 5, 7), [7, 0, 4, 5, 2, 1], { onBroken })
    expect(indices(all)).toEqual([0, 2])
    const reason = 'not a JPEG, PNG or WebP image (its first bytes are not those of an image)'
    expect(broken).toEqual(['7', '4', '5', '1'].map((i) => `${i}.png ${i}.png: ${reason}`))
  })

  it('ends without an image when all are broken', async () => {
    const onBroken = vi.fn()
    expect(await collect(withBroken(0, 1), [0, 1], { onBroken })).toEqual([])
    expect(onBroken).toHaveBeenCalledTimes(2)
  })

  it('rejects with what a strict onBroken throws, in its turn', async () => {
    const generator = decodeAhead(withBroken(1, 2, 3), [0, 1, 2, 3], {
      decode,
      onBroken: (_, error) => {
        throw error
      },
    })
    expect((await generator.next()).value?.index).toBe(0)
    await expect(generator.next()).rejects.toThrow(/^1\.png: not a JPEG/)
    expect(await generator.next()).toEqual({ done: true, value: undefined })
  })

  it('does not take a missing decoder for a broken image', async () => {
    decode.mockRejectedValueOnce(new GraftError('decoder', 'cannot load sharp'))
    const onBroken = vi.fn()
    await expect(collect(samples, [0, 1], { onBroken })).rejects.toThrow('cannot load sharp')
    expect(onBroken).not.toHaveBeenCalled()
  })

  it('stops with the reason of an abort, before and between images', async () => {
    const before = decodes()
    await expect(collect(samples, [0, 1], { signal: AbortSignal.abort() })).rejects.toThrow(
      /abort/i,
    )
    expect(decodes()).toBe(before)

    const controller = new AbortController()
    const reason = new Error('enough')
    const seen: number[] = []
    const run = async (): Promise<void> => {
      for await (const { index } of decodeAhead(withBroken(5), [0, 1, 5, 2], {
        decode,
        signal: controller.signal,
        onBroken: refuseBroken,
      })) {
        seen.push(index)
        if (index === 1) controller.abort(reason)
      }
    }
    await expect(run()).rejects.toBe(reason)
    expect(seen).toEqual([0, 1])
  })

  it('leaves nothing unhandled when left early', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    for await (const { index } of decodeAhead(withBroken(1, 2, 3, 4), [0, 1, 2, 3, 4], {
      decode,
      ahead: 4,
      onBroken: refuseBroken,
    })) {
      expect(index).toBe(0)
      break
    }
    await Promise.allSettled(decode.mock.results.map((result) => result.value))
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })

  it.each([[[8]], [[-1]], [[0.5]], [[Number.NaN]]])('refuses the order %s', async (order) => {
    await expect(collect(samples, order)).rejects.toThrow(
      new UsageError(`the order names sample ${order[0]} of 8`),
    )
  })

  it.each([0, -1, 1.5, Number.NaN])('refuses ahead %s', async (ahead) => {
    await expect(collect(samples, [0], { ahead })).rejects.toThrow(UsageError)
  })
})

describe('the memory that images wait in', () => {
  /** Decoded, they would take this many bytes; none is written to. */
  const huge = (bytes: number) =>
    vi.fn(async () => ({ data: new Uint8Array(bytes), width: 1, height: 1 }))

  it('holds few images while their size is unknown, and as many as fit once it is known', async () => {
    const large = huge(200 * 2 ** 20)
    const generator = decodeAhead(samples, [0, 1, 2, 3, 4, 5, 6, 7], {
      decode: large,
      ahead: 8,
      onBroken: refuseBroken,
    })
    await generator.next()
    expect(large).toHaveBeenCalledTimes(4)
    await generator.next()
    await generator.next()
    // Two of 200 MiB may wait beside the one in use.
    expect(large).toHaveBeenCalledTimes(5)
    await generator.return(undefined)
  })

  /** A decoder that asks for room, and what it holds at a time. */
  const asking = (bytesOf: readonly number[]) => {
    const seen = { open: 0, most: 0, together: 0, mostTogether: 0 }
    const decodeOne = async (_: unknown, name: string, reserve: Reserve): Promise<RgbImage> => {
      const bytes = bytesOf[Number.parseInt(name, 10)] ?? 0
      await reserve(bytes)
      seen.open += bytes
      seen.together++
      seen.most = Math.max(seen.most, seen.open)
      seen.mostTogether = Math.max(seen.mostTogether, seen.together)
      await new Promise((resolve) => setTimeout(resolve, 3))
      seen.open -= bytes
      seen.together--
      return { data: new Uint8Array(3), width: 1, height: 1 }
    }
    return { seen, decode: decodeOne }
  }
  const MiB = 2 ** 20

  it.each<[string, number[], number, number]>([
    ['giants one at a time', Array(8).fill(1500 * MiB), 1500, 1],
    ['as many as fit', Array(8).fill(100 * MiB), 300, 3],
    ['a giant among others alone', [10, 10, 900, 10, 10, 10, 10, 10].map((n) => n * MiB), 900, 8],
    ['small ones freely', Array(8).fill(1), 1, 8],
    ['what just fits', Array(8).fill(384 * MiB), 384, 1],
  ])('is granted before decoding: %s', async (_what, bytes, most, together) => {
    const { seen, decode: decodeOne } = asking(bytes)
    const order = [0, 1, 2, 3, 4, 5, 6, 7]
    expect(indices(await collect(samples, order, { decode: decodeOne, ahead: 8 }))).toEqual(order)
    expect(seen.most).toBeLessThanOrEqual(most * MiB)
    expect(seen.mostTogether).toBeLessThanOrEqual(together)
  })

  it('is given back by broken images, and by what decoders held', async () => {
    const { decode: decodeOne } = asking(Array(8).fill(300 * MiB))
    const onBroken = vi.fn()
    const broken: typeof decodeOne = async (source, name, reserve) => {
      await decodeOne(source, name, reserve)
      throw new DataError(name)
    }
    expect(await collect(samples, [0, 1, 2, 3], { decode: broken, onBroken, ahead: 4 })).toEqual([])
    expect(onBroken).toHaveBeenCalledTimes(4)
  })

  it('is not waited for after an abort', async () => {
    const controller = new AbortController()
    const never = () => new Promise<RgbImage>(() => {})
    const collected = collect(samples, [0, 1], { decode: never, signal: controller.signal })
    setTimeout(() => controller.abort(new Error('enough')), 5)
    await expect(collected).rejects.toThrow('enough')
  })

  it('holds one that is larger than it', async () => {
    const order = [0, 1, 2]
    expect(
      indices(await collect(samples, order, { decode: huge(600 * 2 ** 20), ahead: 8 })),
    ).toEqual(order)
  })
})

describe('PixelCache', () => {
  const bytesEach = 4 * 3 * 3

  it('spares a second pass the decoding, in any order', async () => {
    const cache = new PixelCache(4)
    const first = await collect(samples, [0, 1, 2, 3], { cache })
    const before = decodes()
    const second = await collect(samples, [3, 1, 0, 2], { cache })
    expect(decodes()).toBe(before)
    expect(indices(second)).toEqual([3, 1, 0, 2])
    for (const { index, image } of second) expect(image).toBe(first[index]?.image)
    expect([cache.size, cache.bytes]).toEqual([4, 4 * bytesEach])
  })

  it('takes nothing of a list that would not fit', async () => {
    const cache = new PixelCache(4, 4 * bytesEach - 1)
    await collect(samples, [0, 1, 2, 3], { cache, ahead: 1 })
    expect([cache.size, cache.bytes]).toEqual([0, 0])
  })

  it('keeps within its bytes, and keeps what it has', () => {
    const cache = new PixelCache(3, 10)
    const image = (width: number) => ({ data: new Uint8Array(3 * width), width, height: 1 })
    expect([1, 2, 3].map((width, index) => cache.add(index, image(width)))).toEqual([
      true,
      false,
      false,
    ])
    expect([cache.size, cache.bytes]).toEqual([1, 3])
    expect(cache.add(0, image(1))).toBe(true)
  })

  it('does not keep broken images', async () => {
    const cache = new PixelCache(3)
    const onBroken = vi.fn()
    for (let pass = 1; pass <= 2; pass++) {
      expect(indices(await collect(withBroken(1), [0, 1, 2], { cache, onBroken }))).toEqual([0, 2])
      expect(onBroken).toHaveBeenCalledTimes(pass)
    }
  })

  it('forgets when cleared and counts an image once', () => {
    const cache = new PixelCache(1, 10)
    const image = { data: new Uint8Array(6), width: 2, height: 1 }
    expect(cache.add(3, image)).toBe(true)
    expect(cache.add(3, image)).toBe(true)
    expect(cache.bytes).toBe(6)
    cache.clear()
    expect([cache.size, cache.bytes, cache.get(3)]).toEqual([0, 0, undefined])
  })

  it('holds nothing with no capacity and refuses a negative one', () => {
    expect(new PixelCache(1, 0).add(0, { data: new Uint8Array(3), width: 1, height: 1 })).toBe(
      false,
    )
    expect(() => new PixelCache(1, -1)).toThrow(UsageError)
    expect(() => new PixelCache(1, Number.NaN)).toThrow(UsageError)
  })
})
