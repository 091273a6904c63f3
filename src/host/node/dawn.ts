import { isMainThread } from 'node:worker_threads'
import type * as Webgpu from 'webgpu'
import { quietly } from './quietly.ts'
import { firstLine } from './sharp.ts'

/**
 * One instance of Dawn for each set of Vulkan drivers. They are never released: the garbage
 * collection of an instance would destroy its devices and crash the process.
 */
const instances = new Map<string, GPU>()

/** Stands for the machine's own drivers, as its environment names them. */
export const machineDrivers = ''

// Vulkan loaders before 1.3.207 know only the second one.
const driverVariables = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'] as const

/**
 * The driver files that environment variables name; if there are any, the Vulkan loader ignores all
 * others.
 */
export function namedDrivers(): string[] {
  const value = driverVariables.map((name) => process.env[name]).find(Boolean)
  return value?.split(process.platform === 'win32' ? ';' : ':').filter(Boolean) ?? []
}

/**
 * The best adapter that a set of drivers offers, or null.
 * @param icd the driver's ICD file, or `machineDrivers` for the machine's own
 * @throws Error if Dawn itself cannot be loaded
 */
export async function requestFrom(icd: string): Promise<GPUAdapter | null> {
  const { create, globals } = await loadDawn()
  Object.assign(globalThis, globals)
  return alone(() =>
    withDrivers(icd, async () => {
      const instance = instances.get(icd) ?? create(flags())
      instances.set(icd, instance)
      const adapter = await quietly(() =>
        instance.requestAdapter({ powerPreference: 'high-performance' }),
      )
      // An instance remembers that it found nothing; a later try, with a loader that was missing,
      // needs a new one.
      if (!adapter) instances.delete(icd)
      return adapter && withQuietDevices(adapter)
    }),
  )
}

/** The adapter, whose driver prints nothing where it opens a device. */
function withQuietDevices(adapter: GPUAdapter): GPUAdapter {
  const request = adapter.requestDevice.bind(adapter)
  adapter.requestDevice = (descriptor) => quietly(() => request(descriptor))
  return adapter
}

/**
 * Turns off the rounding of timestamps to 0.07 ms, which protects browsers from foreign pages: most
 * kernels of a network take less time than that.
 */
const exactTimes = 'disable-dawn-features=timestamp_quantization'

/** Dawn's settings: Graft's, or those in the environment variable GRAFT_DAWN_FLAGS. */
function flags(): string[] {
  return (process.env.GRAFT_DAWN_FLAGS ?? exactTimes).split(' ').filter(Boolean)
}

/**
 * Loads Dawn.
 * @param load imports the package; a test passes another function
 * @throws Error that says why the package does not load, and what to do
 */
export async function loadDawn(
  load: () => Promise<typeof Webgpu> = () => import('webgpu'),
): Promise<typeof Webgpu> {
  try {
    return await load()
  } catch (cause) {
    const reason = firstLine(cause)
    throw new Error(
      `the package webgpu does not load on ${process.platform} ${process.arch}: ${reason} ` +
        "(reinstall it with 'npm install webgpu@0.6.2'; " +
        'it has binaries for Linux with glibc, macOS and Windows, on x64 and arm64)',
      { cause },
    )
  }
}

/** The message if a request for one driver found no adapter, or another driver's. */
export function notOffered(icd: string, got: string | null): string {
  const hint = isMainThread
    ? ''
    : "; a worker thread's environment is its own copy: start the worker with env: SHARE_ENV"
  if (got) return `Dawn offers ${got} instead of ${icd}${hint}`
  return `Dawn finds no adapter through ${icd}${hint}`
}

let last: Promise<unknown> = Promise.resolve()

/** Runs the bodies one after the other, because they change the environment of the process. */
function alone<T>(body: () => Promise<T>): Promise<T> {
  const result = last.then(body)
  last = result.catch(() => undefined)
  return result
}

/**
 * Runs `body` while the environment names one driver. The Vulkan loader reads these variables at
 * every request for an adapter.
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
