import { readdir, readFile } from 'node:fs/promises'
import { create, globals } from 'webgpu'
import { AdapterError } from '../errors.ts'
import type { Platform } from '../platform.ts'

let gpu: GPU | null = null
export const nodePlatform: Platform = {
  async requestAdapter(choice) {
    Object.assign(globalThis, globals)
    const kind = choice === 'auto' || choice === 'hardware' ? 'lavapipe' : choice
    process.env.VK_ICD_FILENAMES = kind === 'lavapipe' ? '/usr/share/vulkan/icd.d/lvp_icd.json' : '/tmp/sws/vk_swiftshader_icd.json'
    gpu ??= create([]) as GPU
    const adapter = await gpu.requestAdapter()
    if (!adapter) throw new AdapterError('none', [])
    return { adapter, kind, attempts: [] }
  },
  async readShaders() {
    const root = new URL('../../../shaders/', import.meta.url)
    const names = (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.wgsl'))
    return new Map(
      await Promise.all(names.map(async (name) => [name.replaceAll('\\', '/'), await readFile(new URL(name, root), 'utf8')] as const)),
    )
  },
}
