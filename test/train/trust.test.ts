import { expect, test } from 'vitest'
import { Random } from '../../src/base/random.ts'
import type { LabeledReading, Reading } from '../../src/train/readings.ts'
import {
  defaultRefused,
  describeTrust,
  fewestFor,
  type Trust,
  trustOf,
  verdictOf,
} from '../../src/train/trust.ts'
import { parseTrust, trustText } from '../../src/train/trustFile.ts'

const classes = 3
const width = 16

/** Readings around the corner of a class: `spread` is the noise, `sure` the height of its logit. */
function readings(count: number, spread: number, sure: number, seed: number): LabeledReading[] {
  const random = new Random(seed, 0)
  return Array.from({ length: count }, (_, i) => {
    const label = i % classes
    const noise = () => spread * (random.uniform() - 0.5)
    const corner = () =>
      Float32Array.from({ length: width }, (_, k) => Number(k === label) + noise())
    const logits = Float32Array.from(
      { length: classes },
      (_, c) => sure * Number(c === label) + noise(),
    )
    const sample = { source: '', name: `${i}`, label }
    return { logits, features: corner(), look: corner(), sample }
  })
}

const trained = readings(90, 0.4, 4, 1)
const heldOut = readings(200, 0.4, 4, 2)

function learned(...args: Parameters<typeof trustOf>): Trust {
  const trust = trustOf(...args)
  if (!trust) throw new Error('nothing is judged')
  return trust
}

const refusedOf = (trust: Trust, some: readonly Reading[], refuse?: number) =>
  some.filter((reading) => !verdictOf(trust, reading, refuse).known).length / some.length

test('of new images of the classes, the share that was asked for is refused', () => {
  const trust = learned(trained, heldOut, false)
  expect(trust.distances).toHaveLength(200)
  const fresh = readings(3000, 0.4, 4, 3)
  for (const refuse of [0.01, 0.05, 0.2]) {
    const refused = refusedOf(trust, fresh, refuse)
    expect(refused).toBeGreaterThan(0.2 * refuse)
    expect(refused).toBeLessThan(2.5 * refuse)
  }
  expect(refusedOf(trust, fresh)).toBe(refusedOf(trust, fresh, defaultRefused))
  expect(refusedOf(trust, fresh, 0)).toBe(0)
  expect(describeTrust(trust)).toMatch(/95 in 100 images.*judged by 200 images/)
})

test('an image of another kind is refused, though the network is as sure as ever', () => {
  const trust = learned(trained, heldOut, false)
  const elsewhere = Float32Array.from({ length: width }, (_, k) => Number(k === width - 1))
  const [, near] = heldOut
  if (!near) throw new Error('no reading')
  expect(verdictOf(trust, near)).toMatchObject({ known: true })
  for (const odd of [{ features: elsewhere }, { look: elsewhere }])
    expect(verdictOf(trust, { ...near, ...odd })).toEqual({ known: false, typical: 1 / 201 })
  // That two of the classes are equally likely does not make it a stranger.
  expect(verdictOf(trust, { ...near, logits: Float32Array.of(1, 1, 1) }).known).toBe(true)
})

test('under frozen layers the images that were trained on judge, too, as if they were new', () => {
  const [few, other] = [readings(30, 0.4, 4, 4), heldOut.slice(0, 6)]
  expect(trustOf(few, other, false)).toBe(null)
  const trust = learned(few, other, true)
  expect(trust.distances).toHaveLength(36)
  expect(refusedOf(trust, readings(3000, 0.4, 4, 5))).toBeLessThan(0.12)
})

test('what cannot be judged is not: too few images, or a class with none', () => {
  const enough = fewestFor(defaultRefused)
  expect(enough).toBe(19)
  expect(trustOf(trained, heldOut.slice(0, enough - 1), false)).toBe(null)
  expect(describeTrust(null)).toMatch(/never said: it takes 19 images/)
  const lacking = trained.filter(({ sample }) => sample.label !== 1)
  const trust = learned(lacking, heldOut.slice(0, enough), false)
  expect(trust.spreads.look.means[1]).toBe(null)
  expect(trustOf(trained.slice(0, 2), heldOut, false)).toBe(null)
})

test('a network that is surer than it is right is cooled down', () => {
  const wrong = heldOut.map((reading, i) =>
    i % 5 === 0 ? { ...reading, sample: { ...reading.sample, label: (i + 1) % classes } } : reading,
  )
  const bold = (one: LabeledReading) => ({ ...one, logits: one.logits.map((value) => 5 * value) })
  expect(learned(trained, wrong.map(bold), false).temperature).toBeGreaterThan(3)
  expect(learned(trained, heldOut, false).temperature).toBeLessThan(1.5)
})

test('a file of it gives the same verdicts; a damaged one is told', () => {
  const lacking = trained.filter(({ sample }) => sample.label !== 1)
  const trust = learned(lacking, heldOut, false)
  const bytes = (text: string) => new TextEncoder().encode(text)
  const again = parseTrust(bytes(trustText(trust)), 'trust.json')
  expect(again).toEqual(trust)
  expect(heldOut.map((one) => verdictOf(again, one))).toEqual(
    heldOut.map((one) => verdictOf(trust, one)),
  )
  expect(() => parseTrust(bytes(trustText(trust).slice(0, 90)), 'trust.json')).toThrow(
    /^trust\.json is damaged/,
  )
  for (const [before, after, message] of [
    [/"values":"\w/, '"values":"?', /look\.means\[0\]\.values/],
    ['"width":16', '"width":17', /look\.means hold 16 numbers, and 17 are needed/],
    [/"variances":\[[\d.e-]+,/, '"variances":[', /look\.variances are 7, and 8 are needed/],
    [/"rest":[\d.e-]+/, '"rest":0', /look\.rest is 0, and has to be a number above 0/],
    [/"distances":\[/, '"distances":[1e9,', /distances do not ascend/],
  ] as const)
    expect(() => parseTrust(bytes(trustText(trust).replace(before, after)), 'trust.json')).toThrow(
      message,
    )
})

test('images of another network are not judged: an error says what to do', () => {
  const trust = learned(trained, heldOut, false)
  const [reading] = heldOut
  if (!reading) throw new Error('no reading')
  const other = { ...reading, features: new Float32Array(8) }
  expect(() => verdictOf(trust, other)).toThrow(
    /this network gives 8 numbers where .* gave 16: call learnTrust with this network/,
  )
})
