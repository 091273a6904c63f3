import { createRequire } from 'node:module'
import { availableParallelism, freemem } from 'node:os'
import { createEngineOn, type EngineOptions } from './createEngine.ts'
import type { Host } from './host/host.ts'
import { requestAdapter } from './host/node/adapters.ts'
import { decodeImage } from './host/node/decode.ts'
import { diskFiles } from './host/node/files.ts'
import { rest } from './host/node/rest.ts'
import { readShaders } from './host/node/shaders.ts'
import { fileTilingStore } from './host/node/tilingStore.ts'
import type { Engine } from './tensor/tensor.ts'
import { disk } from './weights/node/disk.ts'
import { openPlace } from './weights/place.ts'

/** Node: Dawn from the npm package `webgpu`, sharp, and the disk. */
export const nodeHost: Host = {
  requestAdapter,
  readShaders,
  runtime: runtimeName(),
  tilingStore: fileTilingStore,
  freeBytes: (kind) =>
    // process.availableMemory respects a container's limit; Node has it from 20.13 on.
    kind === 'hardware' ? null : (process.availableMemory?.() ?? freemem()),
  cores: availableParallelism(),
  rest,
  decodeImage,
  // The readers of all formats are loaded by those who load weights.
  loadWeights: async (...given) => (await import('./weights/load.ts')).loadWeights(...given),
  openWeights: (path) => openPlace(disk, path),
  files: diskFiles,
}

/**
 * Opens a GPU, or a CPU adapter that acts as one.
 * @param options.adapter 'auto' (hardware, else lavapipe, else SwiftShader), or one of the three
 * @throws AdapterError that says for each kind what was tried and how to get it
 * @example const engine = await createEngine({ adapter: 'auto' })
 */
export function createEngine(options: EngineOptions = {}): Promise<Engine> {
  return createEngineOn(nodeHost, options)
}

/** The package that contains Dawn, with its version. */
function runtimeName(): string {
  try {
    const { version } = createRequire(import.meta.url)('webgpu/package.json') as {
      readonly version: string
    }
    return `webgpu ${version}`
  } catch {
    return 'webgpu' // not installed: requestAdapter reports that
  }
}
