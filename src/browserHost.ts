import shaders from '../shaders/index.js'
import { decodeImage } from './host/browser/decode.ts'
import { pageFiles } from './host/browser/files.ts'
import { browserPlatform } from './host/browser/platform.ts'
import type { Host } from './host/host.ts'
import type { TilingStore } from './host/platform.ts'
import { loadWeights } from './weights/browser/load.ts'

const tilingStore: TilingStore = {
  async read(name) {
    // Where the browser keeps nothing, in a private window for example, nothing is known.
    const bytes = await pageFiles.read(`tunings/${name}.json`).catch(() => null)
    return bytes && new TextDecoder().decode(bytes)
  },
  write: (name, text) => pageFiles.write(`tunings/${name}.json`, [new TextEncoder().encode(text)]),
}

/** A browser: navigator.gpu, its own decoder, fetch, and IndexedDB. In a window or a worker. */
export function browserHost(): Host {
  return {
    ...browserPlatform(new Map(Object.entries(shaders))),
    runtime: navigator.userAgent,
    tilingStore,
    decodeImage,
    loadWeights,
    files: pageFiles,
    cores: navigator.hardwareConcurrency,
  }
}
