import { isMainThread } from 'node:worker_threads'
import type * as Webgpu from 'webgpu'

/**
 * One instance of Dawn for each set of Vulkan drivers. Kept for good: a collected instance takes
 * its devices, and the process, with it.
 */
const instances = new Map<string, GPU>()

/** The drivers of the machine, as its own environment names them. */
export const machineDrivers = ''

// the second is what loaders before 1.3.207 know
const driverVariables = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'] as const

/**
 * The driver files that the environment names by hand; the Vulkan loader then looks at no others.
 */
export function namedDrivers(): string[] {
  const value = driverVariables.map((name) => process.env[name]).find(Boolean)
  return value?.split(process.platform === 'win32' ? ';' : ':').filter(Boolean) ?? []
}

/**
 * The best adapter that a set of drivers offers, or null.
 * @param icd the driver's ICD file, or `machineDrivers` for whatever the machine has
 * @throws Error when Dawn itself cannot be loaded
 */
export async function requestFrom(icd: string): Promise<GPUAdapter | null> {
  const { create, globals } = await loadDawn()
  Object.assign(globalThis, globals)
  return alone(() =>
    withDrivers(icd, async () => {
      const instance = instances.get(icd) ?? create(flags())
      instances.set(icd, instance)
      const adapter = await instance.requestAdapter({ powerPreference: 'high-performance' })
      // An instance remembers that it found nothing; a later try, with a loader that was missing,
      // needs a new one.
      if (!adapter) instances.delete(icd)
      return adapter
    }),
  )
}

/**
 * What Dawn does to timestamps for the sake of strangers' pages, rounding them to 0.07 ms: longer
 * than most kernels of a network take.
 */
const exactTimes = 'disable-dawn-features=timestamp_quantization'

/** Dawn's own settings, or those that the environment has in their place. */
function flags(): string[] {
  return (process.env.GRAFT_DAWN_FLAGS ?? exactTimes).split(' ').filter(Boolean)
}

/**
 * Loads Dawn.
 * @param load imports the package; a test passes its own
 * @throws Error that says why the package does not load, and what to do
 */
export async function loadDawn(
  load: () => Promise<typeof Webgpu> = () => import('webgpu'),
): Promise<typeof Webgpu> {
  try {
    return await load()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    throw new Error(
      `the package webgpu does not load on ${process.platform} ${process.arch}: ${reason} (reinstall it with 'npm install webgpu@0.6.2'; it has binaries for Linux with glibc, macOS and Windows, on x64 and arm64)`,
      { cause },
    )
  }
}

/** What to say when a request for one driver came back with nothing, or with another. */
export function notOffered(icd: string, got: string | null): string {
  const hint = isMainThread
    ? ''
    : "; a worker thread's environment is its own copy: start the worker with env: SHARE_ENV"
  return `${got ? `Dawn offers ${got} in place of ${icd}` : `Dawn finds no adapter through ${icd}`}${hint}`
}

let last: Promise<unknown> = Promise.resolve()

/** Runs one body after the other: the environment is the whole process's. */
function alone<T>(body: () => Promise<T>): Promise<T> {
  const result = last.then(body)
  last = result.catch(() => undefined)
  return result
}

/**
 * Runs `body` with the Vulkan loader pointed at one driver. The loader reads these variables
 * whenever adapters are looked for.
 */
async function withDrivers<T>(icd: string, body: () => Promise<T>): Promise<T> {
  if (icd === machineDrivers) return body()
  const before = driverVariables.map((name) => process.env[name])
  for (const name of driverVariables) process.env[name] = icd
  try {
    return await body()
  } finally {
    for (const [i, name] of driverVariables.entries()) {
      const value = before[i]
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}
