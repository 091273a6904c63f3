/**
 * Trains alexnet-64 for one step of 64 images and prints the loss; bench/cases/start.ts runs it in
 * a new process.
 *
 *     node --import tsx bench/firstStep.ts ADAPTER IMAGE IMAGE
 */

import { readFile } from 'node:fs/promises'
import { at } from '../src/base/at.ts'
import { type AdapterChoice, alexnet, createEngine, fit } from '../src/index.ts'

const [adapter, ...files] = process.argv.slice(2)
const images = await Promise.all(files.map((file) => readFile(file)))
const samples = Array.from({ length: 64 }, (_, i) => ({
  source: at(images, i % 2),
  name: `${i}.png`,
  label: i % 2 ? 3 : 7,
}))
const engine = await createEngine({ adapter: adapter as AdapterChoice })
const model = await alexnet(engine, { variant: 'alexnet-64', dropout: 0, seed: 1 })
const classes = Array.from({ length: 100 }, (_, i) => `${i}`.padStart(2, '0'))
await fit(
  model,
  { root: 'memory', classes, train: samples, val: samples.slice(0, 1) },
  {
    epochs: 1,
    batchSize: 64,
    onEvent(event) {
      if (event.type !== 'step') return
      process.stdout.write(`${event.loss}\n`, () => process.exit())
    },
  },
)
