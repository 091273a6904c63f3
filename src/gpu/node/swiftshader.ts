import { createHash, randomUUID } from 'node:crypto'
import { access, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createBrotliDecompress } from 'node:zlib'

const packageName = '@sparticuz/chromium'
const files = ['libvk_swiftshader.so', 'vk_swiftshader_icd.json', 'libvulkan.so.1'] as const
/** Written last: a folder without it was not unpacked to its end. */
const completeMark = 'complete'

/** Where SwiftShader lies unpacked. */
export interface SwiftShader {
  readonly icd: string
  /** A Vulkan loader, for machines that have none. */
  readonly loader: string
}

/**
 * Unpacks SwiftShader from the npm package `@sparticuz/chromium` into a cache folder, once.
 * @param resolve finds a module's path; a test passes its own
 * @throws Error that says what is missing
 */
export async function unpackSwiftShader(resolve: (name: string) => string = createRequire(import.meta.url).resolve): Promise<SwiftShader> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(`SwiftShader from npm is for Linux x64, not for ${process.platform} ${process.arch}`)
  const archive = await findArchive(resolve)
  const packed = await readFile(archive)
  const version = createHash('sha256').update(packed).digest('hex').slice(0, 16)
  for (const root of cacheRoots()) {
    const folder = join(root, `swiftshader-${version}`)
    if (await isComplete(folder)) return located(folder)
    if (await unpack(packed, folder, archive)) return located(folder)
  }
  throw new Error(`SwiftShader could not be unpacked into any of ${cacheRoots().join(', ')}: make one of them writable`)
}

function located(folder: string): SwiftShader {
  return { icd: join(folder, 'vk_swiftshader_icd.json'), loader: join(folder, 'libvulkan.so.1') }
}

function cacheRoots(): string[] {
  return [join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'graft'), join(tmpdir(), 'graft-cache')]
}

async function findArchive(resolve: (name: string) => string): Promise<string> {
  let entry: string
  try {
    entry = resolve(packageName)
  } catch (cause) {
    throw new Error(`the npm package ${packageName} is not installed`, { cause })
  }
  // The package exports no path to its archive: it lies in bin/ at the package's root, some folders above the entry.
  const root = entry.slice(0, entry.lastIndexOf(packageName) + packageName.length)
  const archive = join(root, 'bin', 'swiftshader.tar.br')
  await access(archive).catch((cause: unknown) => {
    throw new Error(`${packageName} carries no bin/swiftshader.tar.br: install version 143 of it`, { cause })
  })
  return archive
}

async function isComplete(folder: string): Promise<boolean> {
  try {
    const sizes = JSON.parse(await readFile(join(folder, completeMark), 'utf8')) as Record<string, number>
    const found = await Promise.all(files.map(async (file) => (await stat(join(folder, file))).size))
    return found.every((size, i) => size > 0 && size === sizes[files[i] ?? ''])
  } catch {
    return false
  }
}

/** Unpacks beside the folder and renames, so that two processes may do it at once; false where the place is not writable. */
async function unpack(packed: Uint8Array, folder: string, archive: string): Promise<boolean> {
  const draft = `${folder}.${randomUUID()}`
  try {
    await mkdir(draft, { recursive: true })
  } catch {
    return false
  }
  try {
    const tar = createRequire(archive)('tar-fs') as { extract(path: string): NodeJS.WritableStream }
    await pipeline(Readable.from([packed]), createBrotliDecompress(), tar.extract(draft))
    const sizes = await Promise.all(files.map(async (file) => [file, (await stat(join(draft, file))).size] as const))
    await writeFile(join(draft, completeMark), JSON.stringify(Object.fromEntries(sizes)))
    await rm(folder, { recursive: true, force: true }) // a damaged one, or nothing
    await rename(draft, folder).catch(async (error: unknown) => {
      if (!(await isComplete(folder))) throw error // else another process was faster
    })
    return true
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

const systemLoader = 'libvulkan.so.1'

/** Whether the process can have a Vulkan loader at all. Without one Dawn prints a warning for every instance, and finds nothing. */
export function hasVulkanLoader(): boolean {
  return process.platform !== 'linux' || opens(systemLoader, rtldNow)
}

/**
 * Puts a Vulkan loader into the process for good, under the name that Dawn looks for. The flags are glibc's RTLD_NOW, RTLD_GLOBAL and
 * RTLD_NODELETE: Node refuses the library, which is no addon of its own, and NODELETE keeps it in place all the same.
 */
export function loadVulkanLoader(path: string): void {
  if (!opens(path, rtldNow | 0x100 | 0x1000)) throw new Error(`the Vulkan loader ${path} cannot be loaded`)
}

const rtldNow = 0x2

/** Opens a shared library that is no addon: Node complains of that only once it has been loaded. */
function opens(path: string, flags: number): boolean {
  try {
    process.dlopen({ exports: {} }, path, flags)
    return true
  } catch (error) {
    return error instanceof Error && error.message.includes('did not self-register')
  }
}
