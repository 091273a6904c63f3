import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type AdapterAttempt, AdapterError, UsageError } from '../../base/errors.ts'
import { adapterKind, adapterKinds } from '../adapterKind.ts'
import type { AdapterChoice, AdapterKind, FoundAdapter } from '../host.ts'
import { machineDrivers, namedDrivers, notOffered, requestFrom } from './dawn.ts'
import { hasVulkanLoader, loadVulkanLoader, unpackSwiftShader } from './swiftshader.ts'

const howTo: Readonly<Record<AdapterKind, string>> = {
  hardware:
    'install the driver of your GPU ' +
    '(on Linux its Vulkan driver and libvulkan1; macOS and Windows need nothing more)',
  lavapipe:
    "run 'sudo npx graft-webgpu adapters --install-lavapipe' on Debian or Ubuntu, " +
    'or install Mesa 23.2 or newer with its Vulkan drivers',
  swiftshader: "run 'npm install @sparticuz/chromium@143', on Linux x64",
}

/** The result of one attempt. */
interface Outcome {
  readonly adapter: GPUAdapter | null
  readonly detail: string
}

/**
 * An adapter of the wanted kind, from Dawn in the npm package `webgpu`.
 * @throws AdapterError with every attempt, if there is none
 */
export async function requestAdapter(choice: AdapterChoice): Promise<FoundAdapter> {
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
    `no ${choice === 'auto' ? 'WebGPU' : choice} adapter. ${tried.join('. ')}. ` +
      'GRAFT_VERBOSE=1 shows what the drivers themselves print.',
    attempts,
  )
}

/** The result of looking for one kind of adapter. */
export interface AdapterReport extends AdapterAttempt {
  readonly adapter: GPUAdapter | null
}

/** Tries every kind, in the order in which 'auto' prefers them. */
export async function describeAdapters(): Promise<AdapterReport[]> {
  const reports: AdapterReport[] = []
  for (const kind of await automaticOrder()) {
    const { adapter, detail } = await attempt(kind)
    reports.push({ kind, found: adapter !== null, detail, howTo: howTo[kind], adapter })
  }
  return reports
}

/**
 * The order of preference; a working driver that the environment variables name comes first.
 */
async function automaticOrder(): Promise<readonly AdapterKind[]> {
  if (namedDrivers().length === 0 || !hasVulkanLoader()) return adapterKinds
  // If it fails, the attempt below fails as well and reports the reason.
  const adapter = await requestFrom(machineDrivers).catch(() => null)
  const named = adapter && adapterKind(adapter)
  return named ? [named, ...adapterKinds.filter((kind) => kind !== named)] : adapterKinds
}

async function attempt(kind: AdapterKind): Promise<Outcome> {
  try {
    if (!hasVulkanLoader())
      return kind === 'swiftshader'
        ? await attemptSwiftShader()
        : missing('there is no libvulkan.so.1')
    const own = await requestFrom(machineDrivers)
    if (own && adapterKind(own) === kind) return found(own)
    if (kind === 'hardware')
      return missing(own ? `there is only ${nameOf(own)}, a CPU` : 'Dawn finds no GPU')
    return kind === 'lavapipe' ? await attemptLavapipe() : await attemptSwiftShader()
  } catch (error) {
    return missing(error instanceof Error ? error.message : String(error))
  }
}

async function attemptLavapipe(): Promise<Outcome> {
  const icds = await driverFiles(/lvp_icd[^/]*\.json$/)
  for (const icd of icds) {
    const adapter = await requestFrom(icd)
    if (!adapter) continue
    return adapterKind(adapter) === 'lavapipe'
      ? found(adapter)
      : missing(notOffered(icd, nameOf(adapter)))
  }
  return missing(
    icds.length
      ? `${notOffered(icds.join(' and '), null)}; it rejects a Mesa older than 23.2`
      : 'no lvp_icd file is installed',
  )
}

async function attemptSwiftShader(): Promise<Outcome> {
  const { icd, loader } = await unpackSwiftShader()
  if (!hasVulkanLoader()) loadVulkanLoader(loader)
  const adapter = await requestFrom(icd)
  if (adapter && adapterKind(adapter) === 'swiftshader') return found(adapter)
  return missing(notOffered(icd, adapter && nameOf(adapter)))
}

function found(adapter: GPUAdapter): Outcome {
  return { adapter, detail: nameOf(adapter) }
}

function missing(detail: string): Outcome {
  return { adapter: null, detail }
}

function nameOf({ info }: GPUAdapter): string {
  return info.description || info.device || info.architecture || 'an adapter without a name'
}

/**
 * A driver's ICD files: those that the environment names, then those in the folders where the
 * Vulkan loader looks for drivers.
 * @param name what the end of the driver's paths looks like
 */
export async function driverFiles(name: RegExp): Promise<string[]> {
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
  return [...new Set([...namedDrivers(), ...listed.flat()])].filter((path) => name.test(path))
}
