import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ArrayDataset, Sample } from '../../src/data/dataset.ts'
import { HereRunner } from '../../src/jobs/here.ts'
import { jobKinds } from '../../src/jobs/node/kinds.ts'
import { Workplace } from '../../src/jobs/workplace.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { openStore } from '../../src/store/node/openStore.ts'
import type { Store } from '../../src/store/store.ts'
import { storedImage } from '../../src/store/storedImage.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import { applyScenario, type Scenario } from '../../src/transfer/scenario.ts'
import { testEngine } from './engine.ts'
import { drawnShapes } from './shapes.ts'

/** A dataset in memory, written into a folder and read from it as from a store. */
export async function stored(data: ArrayDataset, folder: string): Promise<ArrayDataset> {
  const store = await openStore(folder)
  const part = (samples: readonly Sample[]) =>
    Promise.all(
      samples.map(async (sample) => {
        const file = join(folder, sample.name)
        await mkdir(dirname(file), { recursive: true })
        await writeFile(file, sample.source as Uint8Array)
        const object = await store.stat(sample.name)
        if (!object) throw new Error(`${file} was not written`)
        return { ...sample, source: storedImage(store, object) }
      }),
    )
  return { ...data, root: store.address, train: await part(data.train), val: await part(data.val) }
}

/** Does jobs in this process on the engine of the tests, which stays open. */
export function placeOfTests(
  options: { readonly store?: (address: string) => Promise<Store>; readonly engine?: Engine } = {},
): Workplace {
  const { store = openStore, engine } = options
  return new Workplace({
    kinds: jobKinds,
    store,
    openEngine: async () => engine ?? (await testEngine()),
  })
}

/** A runner of such a place. */
export const runnerOfTests = () => new HereRunner(placeOfTests())

/** Drawn shapes in a store, one of the images to train on broken. */
export async function storedShapes(folder: string): Promise<ArrayDataset> {
  const drawn = await drawnShapes()
  const broken = { source: new Uint8Array([1, 2, 3]), name: 'train/circle/x.png', label: 0 }
  return stored({ ...drawn, train: [...drawn.train, broken] }, folder)
}

/** A small AlexNet whose values are always the same, for the three classes of these shapes. */
export async function shapesNetwork(scenario: Scenario, seed = 4) {
  const model = await alexnet(await testEngine(), {
    variant: 'alexnet-64',
    channels: [8, 8, 12, 12, 8],
    hidden: 16,
    classes: 5,
    seed: 4,
  })
  return { model, plan: applyScenario(model, { scenario, classes: 3, seed }) }
}
