import { availableParallelism } from 'node:os'
import type { Host } from './host/host.ts'
import { decodeImage } from './host/node/decode.ts'
import { diskFiles } from './host/node/files.ts'
import { nodePlatform } from './host/node/platform.ts'
import { loadWeights } from './weights/load.ts'

/** Node: Dawn from npm, sharp, and the disk. */
export const nodeHost: Host = {
  ...nodePlatform,
  decodeImage,
  loadWeights,
  files: diskFiles,
  cores: availableParallelism(),
}
