import shaders from '../shaders/index.js'
import { requestAdapter } from './host/browser/adapters.ts'
import { decodeImage } from './host/browser/decode.ts'
import { pageFiles } from './host/browser/files.ts'
import type { Host, TilingStore } from './host/host.ts'
import { loadWeights } from './weights/browser/load.ts'
import { openPlace } from './weights/place.ts'
import { web } from './weights/web.ts'

const tilingStore: TilingStore = {
  async read(name) {
    // A browser that stores nothing, as in a private window, has no tilings.
    const bytes = await pageFiles.read(`tunings/${name}.json`).catch(() => null)
    return bytes && new TextDecoder().decode(bytes)
  },
  write: (name, text) => pageFiles.write(`tunings/${name}.json`, [new TextEncoder().encode(text)]),
}

/** A browser: navigator.gpu, its own decoder, fetch, and IndexedDB. In a window or a worker. */
export function browserHost(): Host {
  return {
    requestAdapter,
    readShaders: async () => new Map(Object.entries(shaders)),
    runtime: navigator.userAgent,
    tilingStore,
    cores: navigator.hardwareConcurrency,
    decodeImage,
    loadWeights,
    openWeights: (path) => openPlace(web, path),
    files: pageFiles,
  }
}
