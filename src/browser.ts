/// <reference types="@webgpu/types" preserve="true" />
/**
 * Graft in a browser: the same kernels and the same training as in Node, on navigator.gpu. Images
 * come from a person's files, weights over the network, and nothing leaves the page.
 *
 * @example
 * const engine = await createEngine()
 * const data = filesDataset(input.files) // <input type="file" webkitdirectory>
 * const model = await alexnet(engine, { weights: '/alexnet-64-tinyimagenet100.safetensors' })
 * applyScenario(model, { scenario: 'small-similar', classes: data.classes.length })
 * await fit(model, data, { epochs: 20, onEvent: console.log })
 * link.href = URL.createObjectURL(new Blob([writeSafetensors(await model.stateDict())]))
 *
 * @module graft-webgpu/browser
 */
import { browserHost } from './browserHost.ts'
import { createEngineOn, type EngineOptions } from './createEngine.ts'
import type { Engine } from './tensor/tensor.ts'

/**
 * Opens the GPU that the browser gives, in a window or a worker.
 * @param options.adapter 'auto' for whatever there is; a kind to refuse every other one
 * @throws AdapterError with one line that says what is missing and what to do, where there is no
 * WebGPU
 * @example const engine = await createEngine()
 */
export function createEngine(options: EngineOptions = {}): Promise<Engine> {
  return createEngineOn(browserHost(), options)
}

export { decodeImage } from './host/browser/decode.ts'
export * from './universal.ts'
export { loadWeights } from './weights/browser/load.ts'
