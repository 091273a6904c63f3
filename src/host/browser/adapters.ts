import { AdapterError } from '../../base/errors.ts'
import { adapterKind } from '../adapterKind.ts'
import type { AdapterChoice, FoundAdapter } from '../host.ts'

const howTo =
  'use a browser with WebGPU (Chrome, Edge, Safari 26, Firefox on Windows and macOS) on a page ' +
  'from https, localhost or a file; on Linux, Chrome needs --enable-unsafe-webgpu'

/**
 * The adapter that navigator.gpu offers.
 * @throws AdapterError if there is none, or it is not of the wanted kind
 */
export async function requestAdapter(choice: AdapterChoice): Promise<FoundAdapter> {
  const gpu = (navigator as { readonly gpu?: GPU }).gpu
  const adapter = (await gpu?.requestAdapter({ powerPreference: 'high-performance' })) ?? null
  // An unknown software adapter is accepted as well: a browser offers no other.
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
}
