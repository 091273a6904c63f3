import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type AdapterAttempt, AdapterError, UsageError } from '../errors.ts'
import type { AdapterChoice, AdapterKind, FoundAdapter, Platform } from '../platform.ts'
import { kindOf, machineDrivers, requestFrom } from './dawn.ts'
import { hasVulkanLoader, loadVulkanLoader, unpackSwiftShader } from './swiftshader.ts'

/** In the order of preference. */
export const adapterKinds = ['hardware', 'lavapipe', 'swiftshader'] as const

const howTo: Readonly<Record<AdapterKind, string>> = {
  hardware: 'install the driver of your GPU (on Linux its Vulkan driver and libvulkan1; macOS and Windows need nothing more)',
  lavapipe: "run 'graft adapters --install-lavapipe' as root on Debian, or install a Mesa of 23.2 or newer with its Vulkan drivers",
  swiftshader: "run 'npm install @sparticuz/chromium@143', on Linux x64",
}

/** What one attempt came to. */
interface Outcome {
  readonly adapter: GPUAdapter | null
  readonly detail: string
}

/** Node's platform: Dawn from the npm package `webgpu`, kernels from the package's own folder. */
export const nodePlatform: Platform = {
  async requestAdapter(choice: AdapterChoice): Promise<FoundAdapter> {
    if (choice !== 'auto' && !adapterKinds.includes(choice))
      throw new UsageError(`there is no adapter '${choice}'; there are auto, ${adapterKinds.join(', ')}`)
    const attempts: AdapterAttempt[] = []
    for (const kind of adapterKinds) {
      if (choice !== 'auto' && choice !== kind) continue
      const { adapter, detail } = await attempt(kind)
      attempts.push({ kind, found: adapter !== null, detail, howTo: howTo[kind] })
      if (adapter) return { adapter, kind, attempts }
    }
    const tried = attempts.map(({ kind, detail, howTo }) => `${kind}: ${detail}; ${howTo}`)
    throw new AdapterError(`no ${choice === 'auto' ? 'WebGPU' : choice} adapter. ${tried.join('. ')}.`, attempts)
  },

  async readShaders() {
    const root = new URL('../../../shaders/', import.meta.url)
    const names = (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.wgsl'))
    return new Map(
      await Promise.all(
        names.map(async (name) => {
          const path = name.replaceAll('\\', '/')
          return [path, await readFile(new URL(path, root), 'utf8')] as const
        }),
      ),
    )
  },
}

/** One kind of adapter, tried. */
export interface AdapterReport extends AdapterAttempt {
  readonly adapter: GPUAdapter | null
}

/** Tries every kind, also those that 'auto' would not come to. */
export async function describeAdapters(): Promise<AdapterReport[]> {
  const reports: AdapterReport[] = []
  for (const kind of adapterKinds) {
    const { adapter, detail } = await attempt(kind)
    reports.push({ kind, found: adapter !== null, detail, howTo: howTo[kind], adapter })
  }
  return reports
}

async function attempt(kind: AdapterKind): Promise<Outcome> {
  try {
    if (!hasVulkanLoader())
      return kind === 'swiftshader' ? await attemptSwiftShader() : { adapter: null, detail: 'there is no libvulkan.so.1' }
    const own = await requestFrom(machineDrivers)
    if (own && kindOf(own) === kind) return found(own)
    if (kind === 'hardware') return { adapter: null, detail: own ? `there is only ${nameOf(own)}, a CPU` : 'Dawn finds no GPU' }
    return kind === 'lavapipe' ? await attemptLavapipe() : await attemptSwiftShader()
  } catch (error) {
    return { adapter: null, detail: error instanceof Error ? error.message : String(error) }
  }
}

async function attemptLavapipe(): Promise<Outcome> {
  const icds = await lavapipeIcds()
  for (const icd of icds) {
    const adapter = await requestFrom(icd)
    if (adapter && kindOf(adapter) === 'lavapipe') return found(adapter)
  }
  return {
    adapter: null,
    detail: icds.length
      ? `Dawn refuses the driver of ${icds.join(' and ')}, which is older than Mesa 23.2`
      : 'no lvp_icd file is installed',
  }
}

async function attemptSwiftShader(): Promise<Outcome> {
  const { icd, loader } = await unpackSwiftShader()
  if (!hasVulkanLoader()) loadVulkanLoader(loader)
  const adapter = await requestFrom(icd)
  return adapter ? found(adapter) : { adapter: null, detail: `Dawn finds no adapter through ${icd}` }
}

function found(adapter: GPUAdapter): Outcome {
  return { adapter, detail: nameOf(adapter) }
}

function nameOf({ info }: GPUAdapter): string {
  return info.description || info.device || info.architecture || 'an adapter without a name'
}

/** Lavapipe's ICD files, where the Vulkan loader looks for drivers. */
async function lavapipeIcds(): Promise<string[]> {
  const data = [process.env.XDG_DATA_HOME, ...(process.env.XDG_DATA_DIRS ?? '/usr/local/share:/usr/share').split(':'), '/etc'].filter(
    (path) => path !== undefined,
  )
  const folders = data.map((path) => join(path, 'vulkan', 'icd.d'))
  const listed = await Promise.all(
    folders.map((folder) =>
      readdir(folder).then(
        (names) => names.map((name) => join(folder, name)),
        () => [],
      ),
    ),
  )
  return listed.flat().filter((path) => /lvp_icd.*\.json$/.test(path))
}
