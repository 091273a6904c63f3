import { availableParallelism } from 'node:os'
import { decodeImage } from './data/decode.ts'
import { nodePlatform } from './gpu/node/platform.ts'
import type { Host } from './tensor/host.ts'
import { diskFiles } from './weights/files.ts'
import { loadWeights } from './weights/load.ts'

/** Node: Dawn from npm, sharp, and the disk. */
export const nodeHost: Host = {
  ...nodePlatform,
  decodeImage,
  loadWeights,
  files: diskFiles,
  cores: availableParallelism(),
}
