import { createHash, randomUUID } from 'node:crypto'
import { access, lstat, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createBrotliDecompress } from 'node:zlib'
import { cacheFolder } from '../../base/node/cacheFolder.ts'
import { makeFolder } from '../../base/node/folder.ts'

const packageName = '@sparticuz/chromium'
const files = ['libvk_swiftshader.so', 'vk_swiftshader_icd.json', 'libvulkan.so.1'] as const
/** Written last: a folder without this file was not unpacked completely. */
const completeMark = 'complete'

/** The files of an unpacked SwiftShader. */
export interface SwiftShader {
  readonly icd: string
  /** A Vulkan loader, for machines without one. */
  readonly loader: string
}

/**
 * Unpacks SwiftShader from the npm package `@sparticuz/chromium` into a cache folder, once.
 * @param resolve finds a module's path; a test passes its own
 * @throws Error that says what is missing
 */
export async function unpackSwiftShader(
  resolve: (name: string) => string = createRequire(import.meta.url).resolve,
): Promise<SwiftShader> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(
      `SwiftShader from npm is for Linux x64, not for ${process.platform} ${process.arch}`,
    )
  const archive = await findArchive(resolve)
  const packed = await readFile(archive)
  const version = sha256(packed).slice(0, 16)
  const failures: string[] = []
  for (const root of [cacheFolder(), temporaryRoot()]) {
    const folder = join(root, `swiftshader-${version}`)
    try {
      if (root === temporaryRoot()) await claim(root)
      if (!(await isComplete(folder))) await unpack(packed, folder, archive)
      return {
        icd: join(folder, 'vk_swiftshader_icd.json'),
        loader: join(folder, 'libvulkan.so.1'),
      }
    } catch (error) {
      failures.push(`${root} (${error instanceof Error ? error.message : String(error)})`)
    }
  }
  throw new Error(
    `SwiftShader could not be unpacked into ${failures.join(' or ')}: ` +
      'make one of them writable, or name another folder in GRAFT_CACHE',
  )
}

/** The cache's place when the home folder is not writable. */
function temporaryRoot(): string {
  return join(tmpdir(), `graft-cache-${process.getuid?.() ?? 0}`)
}

/**
 * Makes a folder that only this user can write to, so that no library is loaded that another user
 * put into a shared place.
 */
async function claim(folder: string): Promise<void> {
  await makeFolder(folder, 0o700)
  const found = await lstat(folder)
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0)
    throw new Error('it belongs to someone else')
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function findArchive(resolve: (name: string) => string): Promise<string> {
  let entry: string
  try {
    entry = resolve(packageName)
  } catch (cause) {
    throw new Error(`the npm package ${packageName} is not installed`, { cause })
  }
  // The package exports no path to its archive, which is in bin/ at the package's root, some
  // folders above the entry.
  const root = entry.slice(0, entry.lastIndexOf(packageName) + packageName.length)
  const archive = join(root, 'bin', 'swiftshader.tar.br')
  await access(archive).catch((cause: unknown) => {
    throw new Error(`${packageName} carries no bin/swiftshader.tar.br: install version 143 of it`, {
      cause,
    })
  })
  return archive
}

/**
 * The files' hashes. Sizes are not enough: after a power failure a file may have the right length
 * and no content.
 */
async function contentsOf(folder: string): Promise<string> {
  const lines = await Promise.all(
    files.map(async (file) => `${sha256(await readFile(join(folder, file)))}  ${file}\n`),
  )
  return lines.join('')
}

async function isComplete(folder: string): Promise<boolean> {
  try {
    return (await readFile(join(folder, completeMark), 'utf8')) === (await contentsOf(folder))
  } catch {
    return false
  }
}

/**
 * Unpacks beside the folder, then renames file by file. That does not disturb another process that
 * unpacks too, or already uses these files: a rename replaces a file in one step by one of the same
 * content.
 */
async function unpack(packed: Uint8Array, folder: string, archive: string): Promise<void> {
  const draft = `${folder}.${randomUUID()}`
  try {
    await makeFolder(draft)
    const ignore = (path: string) => !files.some((file) => file === basename(path))
    await pipeline(
      Readable.from([packed]),
      createBrotliDecompress(),
      tarFs(archive).extract(draft, { ignore, chown: false }),
    )
    await writeFile(join(draft, completeMark), await contentsOf(draft))
    await makeFolder(folder)
    for (const file of [...files, completeMark]) await rename(join(draft, file), join(folder, file))
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

interface TarFs {
  extract(
    folder: string,
    options: { ignore(path: string): boolean; chown: boolean },
  ): NodeJS.WritableStream
}

/** The unpacker that the package itself uses. */
function tarFs(archive: string): TarFs {
  return createRequire(archive)('tar-fs') as TarFs
}

const systemLoader = 'libvulkan.so.1'

/**
 * Whether a Vulkan loader can be loaded. Without one Dawn finds nothing and prints a warning for
 * every instance. Deno opens no library by its name alone: there Dawn itself looks for it.
 */
export function hasVulkanLoader(): boolean {
  return process.platform !== 'linux' || 'deno' in process.versions || opens(systemLoader, rtldNow)
}

/**
 * Loads a Vulkan loader permanently, so that Dawn finds it by its name. The flags are glibc's
 * RTLD_NOW, RTLD_GLOBAL and RTLD_NODELETE: Node rejects the library because it is not an addon, and
 * with NODELETE it stays loaded anyway.
 */
export function loadVulkanLoader(path: string): void {
  if (!opens(path, rtldNow | 0x100 | 0x1000))
    throw new Error(`the Vulkan loader ${path} cannot be loaded`)
}

const rtldNow = 0x2

/** Opens a shared library. That it is no addon Node and Bun report only after it is loaded. */
function opens(path: string, flags: number): boolean {
  try {
    process.dlopen({ exports: {} }, path, flags)
    return true
  } catch (error) {
    return error instanceof Error && /did not self-register|napi_register_/.test(error.message)
  }
}
