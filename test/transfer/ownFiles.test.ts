import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { alexnet } from '../../src/nn/alexnet.ts'
import { metadataOf } from '../../src/nn/metadata.ts'
import type { Network } from '../../src/nn/network.ts'
import { exportOnnx } from '../../src/nn/onnx.ts'
import { applyScenario, type ScenarioOptions } from '../../src/transfer/scenario.ts'
import { writePyTorch } from '../../src/weights/pytorch/write.ts'
import { writeSafetensors } from '../../src/weights/safetensors.ts'
import { testEngine } from '../support/engine.ts'

const engine = await testEngine()
const classNames = ['ant', 'bee', 'fly']

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-own-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** A narrow network as a first training leaves it. */
async function trained(options: Omit<ScenarioOptions, 'classes'>): Promise<Network> {
  const model = await alexnet(engine, {
    variant: 'alexnet-64',
    channels: [4, 6, 8, 8, 6],
    hidden: 12,
    seed: 3,
  })
  applyScenario(model, { classes: classNames.length, ...options })
  model.classNames = classNames
  return model
}

/** What Graft writes of a trained network, by the ending of its name. */
const writers: Record<string, (model: Network) => Promise<Uint8Array>> = {
  safetensors: async (model) => writeSafetensors(await model.stateDict(), metadataOf(model)),
  pth: async (model) => writePyTorch(await model.stateDict(), metadataOf(model)),
  onnx: exportOnnx,
}

const firsts: Record<string, Omit<ScenarioOptions, 'classes'>> = {
  'the last layer': { scenario: 'small-similar' },
  'all FC layers': { scenario: 'small-similar', replace: 'all' },
  'all behind features.7': { scenario: 'small-different' },
  'all behind features.2': { scenario: 'small-similar', cut: 'features.2' },
  'all behind features.6': { scenario: 'large-similar', cut: 'features.6' },
}

const seconds: Record<string, Omit<ScenarioOptions, 'classes'>> = {
  'small-similar': { scenario: 'small-similar' },
  'all replaced': { scenario: 'small-similar', replace: 'all' },
  'small-different': { scenario: 'small-different' },
  'large-similar': { scenario: 'large-similar' },
}

const rows = Object.keys(firsts).flatMap((first) =>
  Object.keys(writers).map((ending) => [first, ending] as const),
)

describe('a network whose end was replaced starts the next training', () => {
  test.each(rows)('%s, as .%s', async (first, ending) => {
    const before = await trained(firsts[first] ?? { scenario: 'small-similar' })
    const state = await before.stateDict()
    const path = join(folder, `net.${ending}`)
    await writeFile(path, (await writers[ending]?.(before)) ?? '')
    for (const second of Object.values(seconds)) {
      const model = await alexnet(engine, { weights: path })
      expect(model.architecture.variant).toBe('alexnet-64')
      const plan = applyScenario(model, { classes: 2, ...second })
      expect([plan.startsFrom, model.missing]).toEqual(['pretrained', []])
      const kept = await model.stateDict()
      const names = Object.keys(kept).filter((name) => !name.startsWith('classifier.6.'))
      expect(names.length).toBeGreaterThan(0)
      for (const name of names) expect(kept[name], name).toEqual(state[name])
      model.dispose()
    }
    before.dispose()
  })
})
