import { UsageError } from '../../base/errors.ts'
import { requestAdapter } from '../../host/browser/adapters.ts'
import type { Host } from '../../host/host.ts'

/** The host of an engine on the page: the browser's GPU and these kernels, no images, no files. */
export function pageHost(shaders: ReadonlyMap<string, string>): Host {
  const none = async (): Promise<never> => {
    throw new UsageError("the inspector's page reads and writes no files")
  }
  return {
    requestAdapter,
    readShaders: async () => shaders,
    cores: navigator.hardwareConcurrency,
    decodeImage: none,
    loadWeights: none,
    openWeights: none,
    files: { read: none, write: none, remove: none, sweep: none },
  }
}
