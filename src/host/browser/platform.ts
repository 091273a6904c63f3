import { AdapterError } from '../../base/errors.ts'
import { type AdapterChoice, adapterKind, type FoundAdapter, type Platform } from '../platform.ts'

const howTo =
  'use a browser with WebGPU (Chrome, Edge, Safari 26, Firefox on Windows and macOS) on a page from https, localhost or a file; on Linux, Chrome wants --enable-unsafe-webgpu'

/**
 * A browser's platform: the adapter that navigator.gpu gives, and kernels that the page carries.
 * @param shaders every file under shaders/, by its path there
 */
export function browserPlatform(shaders: ReadonlyMap<string, string>): Platform {
  return {
    async requestAdapter(choice: AdapterChoice): Promise<FoundAdapter> {
      const gpu = (navigator as { readonly gpu?: GPU }).gpu
      const adapter = (await gpu?.requestAdapter({ powerPreference: 'high-performance' })) ?? null
      // A software adapter that is none of the known ones still computes: a browser offers no
      // other.
      const kind = adapter ? (adapterKind(adapter) ?? 'swiftshader') : 'hardware'
      const wrong = adapter !== null && choice !== 'auto' && choice !== kind
      const detail = !gpu
        ? 'this browser has no WebGPU here'
        : !adapter
          ? 'WebGPU offers no adapter'
          : `the browser offers ${kind}`
      const attempts = [{ kind, found: adapter !== null && !wrong, detail, howTo }]
      if (!adapter || wrong)
        throw new AdapterError(
          `no ${choice === 'auto' ? 'WebGPU' : choice} adapter: ${detail}; ${howTo}`,
          attempts,
        )
      return { adapter, kind, attempts }
    },
    readShaders: async () => shaders,
  }
}
