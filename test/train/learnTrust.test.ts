import { expect, test } from 'vitest'
import { openEmoji } from '../../src/data/emoji.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { predict } from '../../src/train/evaluate.ts'
import { learnTrust } from '../../src/train/learnTrust.ts'
import { parseTrust, trustText } from '../../src/train/trustFile.ts'
import { applyScenario } from '../../src/transfer/scenario.ts'
import { testEngine } from '../support/engine.ts'
import { drawnShapes } from '../support/shapes.ts'

test('a network of shapes knows new ones and refuses most emoji, also from its file', async () => {
  const engine = await testEngine()
  const model = await alexnet(engine, { weights: 'alexnet-64-tinyimagenet100', seed: 1 })
  applyScenario(model, { scenario: 'small-similar', classes: 3, seed: 1 })
  const shapes = await drawnShapes({ train: 12, val: 8 })
  const reads: [number, number][] = []
  const trust = await learnTrust(model, shapes, { onRead: (...read) => reads.push(read) })
  if (!trust) throw new Error('nothing is judged')
  expect(reads.at(-1)).toEqual([60, 60])
  // Layers before the last one are frozen, so that all images judge.
  expect(trust.distances).toHaveLength(60)
  const text = trustText(trust)
  expect(text.length).toBeLessThan(40_000)
  const again = parseTrust(new TextEncoder().encode(text), 'trust.json')
  const emoji = await openEmoji({ seed: 0 })
  const known = async (sources: Parameters<typeof predict>[1]) => {
    const predictions = await predict(model, sources, { trust: again })
    return predictions.filter(({ verdict }) => verdict?.known).length
  }
  const fresh = await drawnShapes({ train: 8, val: 1, seed: 9 })
  expect(await known([...fresh.train].map(({ source }) => source))).toBeGreaterThan(20)
  const strangers = [...emoji.val].slice(0, 24).map(({ source }) => source)
  expect(await known(strangers)).toBeLessThan(12)
  model.dispose()
})
