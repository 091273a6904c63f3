import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DataError, UsageError } from '../../src/base/errors.ts'
import type { Sample } from '../../src/data/dataset.ts'
import { splitByClass } from '../../src/data/split.ts'

function sampleOf(name: string, label: number): Sample {
  return { source: name, name, label }
}

function classOf(label: number, size: number): Sample[] {
  return Array.from({ length: size }, (_, i) =>
    sampleOf(`${label}/${String(i).padStart(4, '0')}.png`, label),
  )
}

const names = (samples: readonly Sample[]): string[] => samples.map((sample) => sample.name)

describe('splitByClass', () => {
  const sizes = fc.array(fc.integer({ min: 2, max: 40 }), { minLength: 1, maxLength: 5 })
  const share = fc.double({ min: 0.01, max: 0.99, noNaN: true })

  it('holds out the rounded share of each class, one at least, all but one at most, and loses nothing', () => {
    fc.assert(
      fc.property(sizes, share, fc.maxSafeNat(), (counts, split, seed) => {
        const samples = counts.map((size, label) => classOf(label, size))
        const { train, val } = splitByClass(counts.map(String), samples, split, seed)
        expect(names([...train, ...val]).sort()).toEqual(names(samples.flat()).sort())
        for (const [label, size] of counts.entries()) {
          const held = Math.min(Math.max(Math.round(size * split), 1), size - 1)
          expect(val.filter((sample) => sample.label === label)).toHaveLength(held)
        }
      }),
    )
  })

  it('does not depend on the order of the images', () => {
    const shuffled = sizes.chain((counts) =>
      fc.tuple(
        ...counts.map((size, label) =>
          fc.shuffledSubarray(classOf(label, size), { minLength: size, maxLength: size }),
        ),
      ),
    )
    fc.assert(
      fc.property(shuffled, fc.nat(), (samples, seed) => {
        const classes = samples.map((_, label) => String(label))
        const sorted = samples.map((ofClass, label) => classOf(label, ofClass.length))
        expect(splitByClass(classes, samples, 0.3, seed)).toEqual(
          splitByClass(classes, sorted, 0.3, seed),
        )
      }),
    )
  })

  it('depends on the seed, and is the same for ever', () => {
    const samples = [classOf(0, 8), classOf(1, 8)]
    const val = (seed: number): string[] => names(splitByClass(['a', 'b'], samples, 0.25, seed).val)
    expect(val(0)).toEqual(['0/0001.png', '0/0002.png', '1/0000.png', '1/0006.png'])
    expect(val(1)).not.toEqual(val(0))
  })

  it('gives both parts class after class, by name', () => {
    const { train, val } = splitByClass(
      ['a', 'b'],
      [classOf(0, 20).reverse(), classOf(1, 20)],
      0.5,
      3,
    )
    expect(names(train)).toEqual(names(train).sort())
    expect(names(val)).toEqual(names(val).sort())
  })

  it('refuses a class too small to divide', () => {
    const split = (size: number) => () =>
      splitByClass(['cat', 'dog'], [classOf(0, 2), classOf(1, size)], 0.25, 0)
    expect(split(1)).toThrow(DataError)
    expect(split(1)).toThrow(
      'class "dog" has only one image: add images or remove the class, two are needed to train on one and validate on the other',
    )
    expect(split(0)).toThrow('class "dog" has no image: ')
  })

  it.each([0, 1, -0.5, 2, Number.NaN])('refuses the split %s', (split) => {
    expect(() => splitByClass(['a'], [classOf(0, 4)], split, 0)).toThrow(UsageError)
    expect(() => splitByClass(['a'], [classOf(0, 4)], split, 0)).toThrow(
      `split is ${split}: give the share of images to hold out for validation, between 0 and 1, such as 0.25`,
    )
  })

  it.each([-1, 0.5, Number.NaN])('refuses the seed %s', (seed) => {
    expect(() => splitByClass(['a'], [classOf(0, 4)], 0.25, seed)).toThrow(UsageError)
  })
})
