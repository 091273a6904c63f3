import { createRequire } from 'node:module'
import { availableParallelism, freemem } from 'node:os'
import type { Host } from './host/host.ts'
import { requestAdapter } from './host/node/adapters.ts'
import { decodeImage } from './host/node/decode.ts'
import { diskFiles } from './host/node/files.ts'
import { rest } from './host/node/rest.ts'
import { readShaders } from './host/node/shaders.ts'
import { fileTilingStore } from './host/node/tilingStore.ts'
import { loadWeights } from './weights/load.ts'
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
  loadWeights,
  openWeights: (path) => openPlace(disk, path),
  files: diskFiles,
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
