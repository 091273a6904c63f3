/**
 * A GPU that is not there, for its compiler: RADV, Mesa's driver for AMD GPUs, compiles for any of
 * them. A Vulkan layer (nullLayer.c) answers what would need the hardware, so Dawn gets a device;
 * nothing is computed on it.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { at } from '../../src/base/at.ts'
import { UsageError } from '../../src/base/errors.ts'
import { driverFiles } from '../../src/host/node/adapters.ts'

/** The families, and the generation each stands for. */
export const families = {
  vega10: 'GCN 5',
  navi21: 'RDNA 2',
  navi31: 'RDNA 3',
  gfx1200: 'RDNA 4',
} as const
export type Family = keyof typeof families

/** What a command prints, and how it ends. */
export interface Outcome {
  readonly stdout: string
  readonly stderr: string
  /** The exit status, or the signal that ended it. */
  readonly status: number | string
}

/** Runs commands that see a GPU of a family. */
export interface NullGpu {
  run(family: Family, command: readonly string[]): Promise<Outcome>
  dispose(): Promise<void>
}

const layerName = 'VK_LAYER_graft_null'

/**
 * Builds the layer.
 * @throws UsageError if RADV or a C compiler is missing
 */
export async function openNullGpu(): Promise<NullGpu> {
  const [driver] = await driverFiles(/radeon_icd[^/]*\.json$/)
  if (!driver)
    throw new UsageError(
      'compiling for a GPU needs RADV, the AMD driver of Mesa, which is not installed ' +
        '(Debian: mesa-vulkan-drivers)',
    )
  const folder = await mkdtemp(join(tmpdir(), 'graft-null-gpu-'))
  const dispose = () => rm(folder, { recursive: true, force: true })
  const library = join(folder, 'layer.so')
  const compiler = process.env.CC || 'cc'
  const source = join(import.meta.dirname, 'nullLayer.c')
  const built = await run([compiler, '-O1', '-shared', '-fPIC', '-o', library, source], process.env)
  if (built.status !== 0) {
    await dispose()
    throw new UsageError(
      `compiling for a GPU needs a C compiler, and ${compiler} ` +
        `${built.stderr.trim().split('\n').at(0) || `ends with ${built.status}`} (Debian: gcc)`,
    )
  }
  await writeFile(join(folder, 'layer.json'), JSON.stringify(manifest(library)))
  return {
    run: (family, command) =>
      run(command, {
        ...process.env,
        RADV_FORCE_FAMILY: family,
        RADV_DEBUG: 'shaders,shaderstats',
        MESA_SHADER_CACHE_DISABLE: 'true',
        VK_DRIVER_FILES: driver,
        VK_ICD_FILENAMES: driver,
        VK_LAYER_PATH: folder,
        VK_INSTANCE_LAYERS: layerName,
      }),
    dispose,
  }
}

/** What the Vulkan loader reads about the layer. */
function manifest(library: string) {
  return {
    file_format_version: '1.1.2',
    layer: {
      name: layerName,
      type: 'INSTANCE',
      library_path: library,
      api_version: '1.3.0',
      implementation_version: '1',
      description: 'A GPU that is not there',
    },
  }
}

function run(command: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(at(command, 0), command.slice(1), {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (chunk) => stdout.push(chunk))
    child.stderr.on('data', (chunk) => stderr.push(chunk))
    const end = (status: number | string, more = '') =>
      resolve({
        stdout: `${Buffer.concat(stdout)}`,
        stderr: `${Buffer.concat(stderr)}${more}`,
        status,
      })
    child.on('error', ({ message }) => end('ENOENT', message))
    child.on('close', (code, signal) => end(code ?? signal ?? 'unknown'))
  })
}
