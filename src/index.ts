/// <reference types="@webgpu/types" preserve="true" />
/**
 * Graft: transfer learning on WebGPU, from scratch. This is the entry for Node (browser.ts is the
 * other one); a folder of photographs and a trained AlexNet in, a classifier out.
 *
 * @example
 * const engine = await createEngine()
 * const model = await alexnet(engine, { variant: 'alexnet-64', weights:
 * 'alexnet-64-tinyimagenet100' }) const data = await openImageFolder('photographs')
 * applyScenario(model, { scenario: 'small-similar', classes: data.classes.length }) const run =
 * await fit(model, data, { epochs: 20 }) console.log(run.epochs.at(-1)?.valAccuracy)
 * engine.dispose()
 *
 * @module graft-webgpu
 */
export { type Copies, type Copy, findCopies } from './data/copies.ts'
export { type FetchDatasetOptions, fetchDataset } from './data/datasets/node/store.ts'
export {
  type DatasetArchive,
  type LayoutName,
  type NamedDataset,
  namedDatasets,
} from './data/datasets/registry.ts'
export { FeatureCache } from './data/featureCache.ts'
export { openImageFolder } from './data/imageFolder.ts'
export { openData } from './data/openData.ts'
export { decodeImage } from './host/node/decode.ts'
export { createEngine } from './nodeHost.ts'
export { StoreError, type StoreProblem } from './store/store.ts'
export { loadRun, type RunConfig, type RunImages } from './train/runFolder.ts'
export * from './universal.ts'
export { loadWeights } from './weights/load.ts'
