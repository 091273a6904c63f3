import { expect, test } from 'vitest'
import { Random } from '../../src/base/random.ts'
import type { LabeledReading } from '../../src/train/readings.ts'
import { acceptedShare, describeTrust, trustOf, verdictOf } from '../../src/train/trust.ts'

const classes = 3
const width = 16

/** Readings around the corner of a class: `spread` is the noise, `sure` the height of its logit. */
function readings(count: number, spread: number, sure: number, seed: number): LabeledReading[] {
  const random = new Random(seed, 0)
  return Array.from({ length: count }, (_, i) => {
    const label = i % classes
    const noise = () => spread * (random.uniform() - 0.5)
    const features = Float32Array.from({ length: width }, (_, k) => Number(k === label) + noise())
    const logits = Float32Array.from(
      { length: classes },
      (_, c) => sure * Number(c === label) + noise(),
    )
    return { logits, features, sample: { source: '', name: `${i}`, label } }
  })
}

const trained = readings(90, 0.4, 4, 1)
const heldOut = readings(200, 0.4, 4, 2)

test('the share of right images held out that was asked for stays accepted, and hardly more', () => {
  const trust = trustOf(trained, heldOut)
  if (!trust) throw new Error('nothing is judged')
  const accepted = heldOut.filter((reading) => verdictOf(trust, reading).known).length
  expect(accepted / heldOut.length).toBeGreaterThanOrEqual(acceptedShare)
  expect(accepted / heldOut.length).toBeLessThan(acceptedShare + 0.02)
  const fresh = readings(300, 0.4, 4, 3)
  const known = fresh.filter((reading) => verdictOf(trust, reading).known).length
  expect(known / fresh.length).toBeGreaterThan(0.88)
  expect(trust.judgedBy).toBe(200)
  expect(describeTrust(trust)).toMatch(/less than \d+ % sure.*judged by the 200/)
})

test('an image of another kind is refused, though the network is as sure as ever', () => {
  const trust = trustOf(trained, heldOut)
  if (!trust) throw new Error('nothing is judged')
  const elsewhere = Float32Array.from({ length: width }, (_, k) => Number(k === width - 1))
  const sure = Float32Array.of(4, 0, 0)
  expect(verdictOf(trust, { logits: sure, features: elsewhere })).toMatchObject({ known: false })
  const near = heldOut[0]
  if (!near) throw new Error('no reading')
  const torn = verdictOf(trust, { logits: Float32Array.of(1, 1, 1), features: near.features })
  expect(torn).toMatchObject({ known: false })
  expect(torn.confidence).toBeCloseTo(1 / 3, 10)
})

test('a network that is surer than it is right is cooled down', () => {
  const wrong = heldOut.map((reading, i) =>
    i % 5 === 0 ? { ...reading, sample: { ...reading.sample, label: (i + 1) % classes } } : reading,
  )
  const bold = (one: LabeledReading) => ({ ...one, logits: one.logits.map((value) => 5 * value) })
  const calm = trustOf(trained, heldOut)
  const cooled = trustOf(trained, wrong.map(bold))
  expect(cooled?.temperature).toBeGreaterThan(3)
  expect(calm?.temperature).toBeLessThan(1.5)
})

test('with too few images held out nothing is judged', () => {
  expect(trustOf(trained, heldOut.slice(0, 9))).toBe(null)
})
