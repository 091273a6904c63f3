import type { AdapterKind } from './host.ts'

/** Every kind of adapter, in the order of preference. */
export const adapterKinds = ['hardware', 'lavapipe', 'swiftshader'] as const

/** The kind of an adapter, by its driver's description; null for an unknown CPU driver. */
export function adapterKind({ info }: GPUAdapter): AdapterKind | null {
  const words =
    `${info.description} ${info.device} ${info.architecture} ${info.vendor}`.toLowerCase()
  if (words.includes('llvmpipe') || words.includes('lavapipe')) return 'lavapipe'
  if (words.includes('swiftshader')) return 'swiftshader'
  return info.isFallbackAdapter ? null : 'hardware'
}
