import type * as Webgpu from 'webgpu'
import type { AdapterKind } from '../platform.ts'

/** One instance of Dawn for each set of Vulkan drivers. Kept for good: a collected instance takes its devices, and the process, with it. */
const instances = new Map<string, GPU>()

/** The drivers of the machine, as its own environment names them. */
export const machineDrivers = ''

/**
 * The best adapter that a set of drivers offers, or null.
 * @param icd the driver's ICD file, or `machineDrivers` for whatever the machine has
 * @throws Error when Dawn itself cannot be loaded
 */
export async function requestFrom(icd: string): Promise<GPUAdapter | null> {
  const { create, globals } = await loadDawn()
  Object.assign(globalThis, globals)
  return withDrivers(icd, async () => {
    const instance = instances.get(icd) ?? create([])
    instances.set(icd, instance)
    const adapter = await instance.requestAdapter({ powerPreference: 'high-performance' })
    // An instance remembers that it found nothing; a later try, with a loader that was missing, needs a new one.
    if (!adapter) instances.delete(icd)
    return adapter
  })
}

/** Which kind an adapter is, by what its driver says of itself. */
export function kindOf(adapter: GPUAdapter): AdapterKind {
  const { description, device, architecture, vendor } = adapter.info
  const words = `${description} ${device} ${architecture} ${vendor}`.toLowerCase()
  if (words.includes('llvmpipe') || words.includes('lavapipe')) return 'lavapipe'
  return words.includes('swiftshader') ? 'swiftshader' : 'hardware'
}

async function loadDawn(): Promise<typeof Webgpu> {
  try {
    return await import('webgpu')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    throw new Error(`the package webgpu does not load on ${process.platform} ${process.arch}: ${reason}`, { cause })
  }
}

/** Runs `body` with the Vulkan loader pointed at one driver. The loader reads these variables whenever an instance is made. */
async function withDrivers<T>(icd: string, body: () => Promise<T>): Promise<T> {
  if (icd === machineDrivers) return body()
  const names = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'] as const // the second is what loaders before 1.3.207 know
  const before = names.map((name) => process.env[name])
  for (const name of names) process.env[name] = icd
  try {
    return await body()
  } finally {
    for (const [i, name] of names.entries()) {
      const value = before[i]
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}
