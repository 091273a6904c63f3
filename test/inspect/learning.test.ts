/** What the chapters, figures and exercises of the inspector compute, without a page. */
import { beforeAll, describe, expect, test } from 'vitest'
import { at } from '../../src/base/at.ts'
import { cutCosts, cutOf } from '../../src/inspect/cutCosts.ts'
import { descend, landscapes, outcomeOf } from '../../src/inspect/descent.ts'
import { exercisesOf } from '../../src/inspect/exercises.ts'
import { graphOf } from '../../src/inspect/graph.ts'
import type { InspectedCall, Inspection } from '../../src/inspect/inspection.ts'
import { fitSmall } from '../../src/inspect/overfitting.ts'
import { softmaxOf } from '../../src/inspect/probabilities.ts'
import { receptiveField } from '../../src/inspect/receptive.ts'
import { situationsOf } from '../../src/inspect/situations.ts'
import { arrange, arrow } from '../../src/inspect/web/see/arrange.ts'
import { inspectSmall } from './inspection.ts'

/** A forward call of a network made up for a test. */
function call(
  layer: string,
  operator: string,
  reads: readonly number[],
  more: Partial<InspectedCall> = {},
): InspectedCall {
  const index = Number(layer.replace(/\D/g, ''))
  return {
    layer,
    operator,
    reads,
    pass: 'forward',
    attrs: {},
    tensors: { y: `${index}.y` },
    first: index,
    end: index + 1,
    ...more,
  }
}

const tensorOf = (...shape: number[]) => ({ shape, kept: 0, data: '' })
const conv = (index: number, reads: readonly number[], kernel: number, stride = 1) => ({
  call: call(`layer${index}`, 'conv2d', reads, {
    attrs: { stride: [stride, stride], padding: [(kernel - 1) / 2, (kernel - 1) / 2] },
    tensors: { y: `${index}.y`, weight: `${index}.weight` },
  }),
  weight: [`${index}.weight`, tensorOf(8, 8, kernel, kernel)] as const,
})

/**
 * A residual network: a convolution with a ReLU, then two convolutions beside a way around them, an
 * addition, and a dense layer.
 */
const parts = [conv(0, [-1], 3), conv(2, [1], 3, 2), conv(3, [2], 3), conv(4, [1], 1, 2)] as const
const residual = {
  preprocess: { size: 32 } as Inspection['preprocess'],
  calls: [
    parts[0].call,
    call('layer1', 'relu', [0], { first: 1, end: 1 }),
    parts[1].call,
    parts[2].call,
    parts[3].call,
    call('layer5', 'add', [3, 4]),
    call('layer6', 'linear', [5]),
    call('loss7', 'crossEntropy', [6], { layer: null }),
  ],
  tensors: {
    ...Object.fromEntries(parts.map(({ weight }) => weight)),
    '0.y': tensorOf(1, 8, 32, 32),
    '1.y': tensorOf(1, 8, 32, 32),
    ...Object.fromEntries([2, 3, 4, 5].map((i) => [`${i}.y`, tensorOf(1, 8, 16, 16)])),
    '6.y': tensorOf(1, 10),
  },
}

describe('a network with branches', () => {
  test('its graph has a box for each result, a ReLU with what it follows, and both branches', () => {
    const graph = graphOf(residual)
    expect(graph.map(({ layers, reads, level }) => [layers.join(' '), reads, level])).toEqual([
      ['layer0 layer1', [-1], 1],
      ['layer2', [0], 2],
      ['layer3', [1], 3],
      ['layer4', [0], 2],
      ['layer5', [2, 3], 4],
      ['layer6', [4], 5],
    ])
  })

  test('a receptive field is the union of what all branches see', () => {
    // By hand: the way around sees 1 pixel of the first convolution at stride 2, so 3 of the image;
    // the two convolutions see 3, at stride 2 that is 3 + 2 · 2 = 7, and 9 of the image.
    expect(receptiveField(residual, 4, [8, 8])).toMatchObject({ height: 3, width: 3 })
    expect(receptiveField(residual, 3, [8, 8])).toMatchObject({ height: 9, width: 9 })
    expect(receptiveField(residual, 5, [8, 8])).toEqual({
      height: 9,
      width: 9,
      rows: { from: 12, to: 20 },
      columns: { from: 12, to: 20 },
    })
    expect(receptiveField(residual, 5, [0, 0]).rows).toEqual({ from: 0, to: 4 })
    expect(receptiveField(residual, 6, [0, 0]).rows).toEqual({ from: 0, to: 31 })
  })

  test('its rows are as few as can be, about equally long, and fill their place', () => {
    const boxes = Array.from({ length: 12 }, () => ({ width: 140, height: 100 }))
    const { places, rows } = arrange([...boxes.keys()], boxes, 1376)
    expect(rows).toBe(2)
    expect(places.map(({ row }) => row)).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    // Six of 140 pixels, and five gaps at their widest.
    expect(places[5]).toMatchObject({ x: 15 + 5 * (140 + 56) })
  })

  test('an arrow goes straight to the next column, however narrow the boxes in theirs are', () => {
    const box = (width: number) => ({ width, height: 40 })
    const { places } = arrange([0, 1, 1, 2], [box(100), box(40), box(120), box(100)], 900)
    const [first, narrow, , last] = places
    if (!first || !narrow || !last) throw new Error('a box has no place')
    expect(narrow.x - first.x - first.width).toBeGreaterThan(60)
    expect(arrow(first, narrow)).toMatch(/^M\S+ \S+C/)
    // Past a column it goes around what lies there.
    expect(arrow(first, last)).toMatch(/V.*H.*V/)
  })

  test('its boxes do not overlap, and no row is wider than the place', () => {
    const levels = graphOf(residual).map(({ level }) => level)
    for (const width of [280, 400, 900]) {
      const boxes = levels.map((_, i) => ({ width: 100, height: 80 + 10 * i }))
      const { places, height } = arrange(levels, boxes, width)
      for (const [i, a] of places.entries()) {
        expect(a.x).toBeGreaterThanOrEqual(0)
        expect(a.x + a.width).toBeLessThanOrEqual(width)
        expect(a.y + a.height).toBeLessThanOrEqual(height)
        for (const b of places.slice(i + 1)) {
          const apart =
            a.x + a.width <= b.x ||
            b.x + b.width <= a.x ||
            a.y + a.height <= b.y ||
            b.y + b.height <= a.y
          expect(apart, `${i} at ${width}`).toBe(true)
        }
      }
    }
  })
})

describe('a recording', () => {
  let inspection: Inspection
  beforeAll(async () => {
    inspection = await inspectSmall()
  })

  // The dropout after the flattened maps has another shape than they: it is a box of its own.
  test('its graph is the chain that ran, the flattened maps included', () => {
    const graph = graphOf(inspection)
    expect(graph.map(({ reads }) => reads)).toEqual(graph.map((_, i) => [i - 1]))
    expect(graph.map(({ layer }) => layer)).toEqual([
      ...[0, 2, 3, 5, 6, 8, 10, 12].map((n) => `features.${n}`),
      ...inspection.layers
        .map(({ name }) => name)
        .filter((name) => /^classifier\.[0146]$/.test(name)),
    ])
  })

  test('what a step costs grows with every layer that trains, up to the recorded step', () => {
    const { cuts, recorded } = cutCosts(inspection)
    expect(recorded).toBe(true)
    const flops = cuts.map(({ total }) => total.flops)
    expect(flops).toEqual(flops.toSorted((a, b) => a - b))
    const whole = at(inspection.compared, 1).dispatches
    expect(flops.at(-1)).toBe(whole.reduce((sum, { cost }) => sum + (cost?.flops ?? 0), 0))
    expect(cuts.at(-1)?.from).toBe('features.0')
    expect(cuts[0]?.byKind.gradient.flops).toBe(0)
    expect(cutOf(inspection, cuts)).toBe(cuts.length - 1)
    // Where the last layer alone was recorded to train, about as much ran.
    const last = at(inspection.compared, 0).dispatches
    const alone = last.reduce((sum, { cost }) => sum + (cost?.flops ?? 0), 0)
    expect(at(flops, 1) / alone).toBeCloseTo(1, 2)
  })

  test('without a recorded training step its cost is estimated near what is recorded', () => {
    const counted = cutCosts(inspection)
    const estimated = cutCosts({ ...inspection, compared: [] })
    expect(estimated.recorded).toBe(false)
    for (const [i, { total, values }] of estimated.cuts.entries()) {
      expect(values).toBe(at(counted.cuts, i).values)
      expect(total.milliseconds).toBeNull()
      expect(total.flops / at(counted.cuts, i).total.flops).toBeGreaterThan(0.7)
      expect(total.flops / at(counted.cuts, i).total.flops).toBeLessThan(1.4)
    }
  })

  test('its scenario is marked among four, with what it kept and cut', () => {
    const situations = situationsOf(inspection)
    expect(situations.map(({ scenario, recorded }) => [scenario, recorded])).toEqual([
      ['small-similar', false],
      ['small-different', false],
      ['large-similar', true],
      ['large-different', false],
    ])
    const states = (scenario: string) =>
      situations
        .find((one) => one.scenario === scenario)
        ?.parts.map(({ state }) => state)
        .join(' ')
    expect(states('large-similar')).toMatch(/^(random ){5,7}(cut )+new$/)
    expect(states('small-different')).toMatch(/^frozen frozen frozen (cut )+new$/)
    expect(states('large-different')).toMatch(/^(random )+cut new$/)
  })

  test('its exercises are answered with its own numbers', () => {
    const exercises = exercisesOf(inspection)
    const answerOf = (question: RegExp) =>
      exercises.find((one) => question.test(one.question))?.answer.join(' ') ?? 'not asked'
    expect(exercises.length).toBeGreaterThanOrEqual(14)
    expect(answerOf(/How many parameters does features\.0/)).toContain('6 x 3 x 5 x 5 + 6 = 456.')
    expect(answerOf(/features\.0 .* reads maps of 64 x 64/)).toContain(
      '(64 + 2 · 2 − 5) / 2 + 1 = 32.5, so 32 x 32.',
    )
    expect(answerOf(/How many parameters has the whole/)).toContain(
      inspection.layers
        .flatMap(({ parameters }) => parameters.map(({ shape }) => shape.reduce((a, b) => a * b)))
        .reduce((a, b) => a + b)
        .toLocaleString('en'),
    )
    expect(answerOf(/cross-entropy of a network that knows nothing of 5/)).toContain(
      `= ${Number(inspection.loss?.toPrecision(4))}.`,
    )
    expect(answerOf(/Where does backward end/)).toContain('everything trains')
    for (const { question, answer } of exercises)
      expect([question, ...answer].join()).not.toMatch(/NaN|undefined/)
  })
})

test('a temperature changes how sure the answer is, never its order', () => {
  const logits = [2, 1, -3]
  expect(softmaxOf(logits).reduce((a, b) => a + b)).toBeCloseTo(1, 12)
  expect(at(softmaxOf([2, 1]), 0)).toBeCloseTo(0.7310585786, 9)
  expect(at(softmaxOf(logits, 0.1), 0)).toBeGreaterThan(0.99)
  expect(at(softmaxOf(logits, 100), 2)).toBeCloseTo(1 / 3, 1)
  expect(softmaxOf([1, Number.NaN])).toEqual([])
})

test('the small model overfits few noisy points, and many hardly', () => {
  const [few, many] = [fitSmall(10, 0.3), fitSmall(80, 0.3)]
  const rise = ({ epochs, best }: typeof few) =>
    at(epochs, epochs.length - 1).valLoss / at(epochs, best).valLoss
  expect(at(few.epochs, few.epochs.length - 1).trainLoss).toBeLessThan(0.01)
  expect(few.best).toBeGreaterThan(3)
  expect(rise(few)).toBeGreaterThan(1.3)
  expect(at(many.epochs, many.epochs.length - 1).valLoss).toBeLessThan(
    at(few.epochs, few.epochs.length - 1).valLoss,
  )
})

test('descent diverges, bounces, creeps or arrives, by its rate; momentum crosses the ridge', () => {
  const [bowl, two] = [at(landscapes, 0), at(landscapes, 1)]
  const outcome = (lr: number) => outcomeOf(bowl, descend(bowl, { lr, momentum: 0, steps: 40 }))
  expect([0.01, 0.3, 1.95, 2.5].map(outcome)).toEqual(['slow', 'arrived', 'bounces', 'diverged'])
  const end = (momentum: number) => {
    const path = descend(two, { lr: 0.1, momentum, steps: 40 })
    return at(path, path.length - 1)
  }
  expect(end(0).weight).toBeLessThan(-1)
  expect(end(0.9).weight).toBeGreaterThan(1)
  // Slopes are the derivatives of the losses.
  for (const { loss, slope } of landscapes)
    for (const w of [-2, -0.5, 0.3, 1.7])
      expect(slope(w)).toBeCloseTo((loss(w + 1e-5) - loss(w - 1e-5)) / 2e-5, 6)
})
