import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { freemem } from 'node:os'
import { join } from 'node:path'
import { type AdapterAttempt, AdapterError, UsageError } from '../../base/errors.ts'
import {
  type AdapterChoice,
  type AdapterKind,
  adapterKind,
  type FoundAdapter,
  type Platform,
} from '../platform.ts'
import { machineDrivers, namedDrivers, notOffered, requestFrom } from './dawn.ts'
import { rest } from './rest.ts'
import { hasVulkanLoader, loadVulkanLoader, unpackSwiftShader } from './swiftshader.ts'
import { fileTilingStore } from './tilingStore.ts'

/** In the order of preference. */
const adapterKinds = ['hardware', 'lavapipe', 'swiftshader'] as const

const howTo: Readonly<Record<AdapterKind, string>> = {
  hardware:
    'install the driver of your GPU (on Linux its Vulkan driver and libvulkan1; macOS and Windows need nothing more)',
  lavapipe:
    "run 'graft adapters --install-lavapipe' as root on Debian, or install a Mesa of 23.2 or newer with its Vulkan drivers",
  swiftshader: "run 'npm install @sparticuz/chromium@143', on Linux x64",
}

/** What one attempt came to. */
interface Outcome {
  readonly adapter: GPUAdapter | null
  readonly detail: string
}

/** Node's platform: Dawn from the npm package `webgpu`, kernels from the package's own folder. */
export const nodePlatform: Platform = {
  runtime: runtimeName(),
  tilingStore: fileTilingStore,
  rest,

  async requestAdapter(choice: AdapterChoice): Promise<FoundAdapter> {
    if (choice !== 'auto' && !adapterKinds.includes(choice))
      throw new UsageError(
        `there is no adapter '${choice}'; there are auto, ${adapterKinds.join(', ')}`,
      )
    const attempts: AdapterAttempt[] = []
    for (const kind of choice === 'auto' ? await automaticOrder() : [choice]) {
      const { adapter, detail } = await attempt(kind)
      attempts.push({ kind, found: adapter !== null, detail, howTo: howTo[kind] })
      if (adapter) return { adapter, kind, attempts }
    }
    const tried = attempts.map(({ kind, detail, howTo }) => `${kind}: ${detail}; ${howTo}`)
    throw new AdapterError(
      `no ${choice === 'auto' ? 'WebGPU' : choice} adapter. ${tried.join('. ')}.`,
      attempts,
    )
  },

  async readShaders() {
    const root = new URL('../../../shaders/', import.meta.url)
    const names = (await readdir(root, { recursive: true })).filter((name) =>
      name.endsWith('.wgsl'),
    )
    return new Map(
      await Promise.all(
        names.map(async (name) => {
          const path = name.replaceAll('\\', '/')
          return [path, await readFile(new URL(path, root), 'utf8')] as const
        }),
      ),
    )
  },

  freeBytes(kind) {
    // process.availableMemory also minds a container's limit; Node has it from 20.13 on.
    return kind === 'hardware' ? null : (process.availableMemory?.() ?? freemem())
  },
}

/** The package that brings Dawn, with its version. */
function runtimeName(): string {
  try {
    const { version } = createRequire(import.meta.url)('webgpu/package.json') as {
      readonly version: string
    }
    return `webgpu ${version}`
  } catch {
    return 'webgpu' // not installed: the attempts to load it say so
  }
}

/** One kind of adapter, tried. */
export interface AdapterReport extends AdapterAttempt {
  readonly adapter: GPUAdapter | null
}

/**
 * Tries every kind, also those that 'auto' would not come to, in the order in which 'auto' takes
 * them.
 */
export async function describeAdapters(): Promise<AdapterReport[]> {
  const reports: AdapterReport[] = []
  for (const kind of await automaticOrder()) {
    const { adapter, detail } = await attempt(kind)
    reports.push({ kind, found: adapter !== null, detail, howTo: howTo[kind], adapter })
  }
  return reports
}

/**
 * The order of preference; but where the environment names drivers by hand, and they work, theirs
 * comes first.
 */
async function automaticOrder(): Promise<readonly AdapterKind[]> {
  if (namedDrivers().length === 0 || !hasVulkanLoader()) return adapterKinds
  const adapter = await requestFrom(machineDrivers).catch(() => null) // the attempt says why
  const named = adapter && adapterKind(adapter)
  return named ? [named, ...adapterKinds.filter((kind) => kind !== named)] : adapterKinds
}

async function attempt(kind: AdapterKind): Promise<Outcome> {
  try {
    if (!hasVulkanLoader())
      return kind === 'swiftshader'
        ? await attemptSwiftShader()
        : { adapter: null, detail: 'there is no libvulkan.so.1' }
    const own = await requestFrom(machineDrivers)
    if (own && adapterKind(own) === kind) return found(own)
    if (kind === 'hardware')
      return {
        adapter: null,
        detail: own ? `there is only ${nameOf(own)}, a CPU` : 'Dawn finds no GPU',
      }
    return kind === 'lavapipe' ? await attemptLavapipe() : await attemptSwiftShader()
  } catch (error) {
    return { adapter: null, detail: error instanceof Error ? error.message : String(error) }
  }
}

async function attemptLavapipe(): Promise<Outcome> {
  const icds = await lavapipeIcds()
  for (const icd of icds) {
    const adapter = await requestFrom(icd)
    if (!adapter) continue
    return adapterKind(adapter) === 'lavapipe'
      ? found(adapter)
      : { adapter: null, detail: notOffered(icd, nameOf(adapter)) }
  }
  const detail = icds.length
    ? `${notOffered(icds.join(' and '), null)}; it refuses a Mesa older than 23.2`
    : 'no lvp_icd file is installed'
  return { adapter: null, detail }
}

async function attemptSwiftShader(): Promise<Outcome> {
  const { icd, loader } = await unpackSwiftShader()
  if (!hasVulkanLoader()) loadVulkanLoader(loader)
  const adapter = await requestFrom(icd)
  if (adapter && adapterKind(adapter) === 'swiftshader') return found(adapter)
  return { adapter: null, detail: notOffered(icd, adapter && nameOf(adapter)) }
}

function found(adapter: GPUAdapter): Outcome {
  return { adapter, detail: nameOf(adapter) }
}

function nameOf({ info }: GPUAdapter): string {
  return info.description || info.device || info.architecture || 'an adapter without a name'
}

/**
 * Lavapipe's ICD files: those that the environment names, then those where the Vulkan loader looks
 * for drivers.
 */
async function lavapipeIcds(): Promise<string[]> {
  const { HOME, XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_CONFIG_DIRS, XDG_DATA_DIRS } = process.env
  const homes = [
    XDG_CONFIG_HOME || join(HOME || '/', '.config'),
    XDG_DATA_HOME || join(HOME || '/', '.local', 'share'),
  ]
  const shared = [
    XDG_CONFIG_DIRS || '/etc/xdg',
    '/etc',
    XDG_DATA_DIRS || '/usr/local/share:/usr/share',
  ].flatMap((list) => list.split(':'))
  const folders = [...homes, ...shared].map((path) => join(path, 'vulkan', 'icd.d'))
  const listed = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(folder).catch(() => [])).sort().map((name) => join(folder, name)),
    ),
  )
  return [...new Set([...namedDrivers(), ...listed.flat()])].filter((path) =>
    /lvp_icd[^/]*\.json$/.test(path),
  )
}
