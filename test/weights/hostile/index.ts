import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hostileArchives } from './archives.ts'
import type { HostileFile } from './build.ts'
import { manifests } from './manifests.ts'
import { onnxGraphs } from './onnx.ts'
import { pickles } from './pickles.ts'
import { truncated } from './truncated.ts'

export type { HostileFile } from './build.ts'
export { sound } from './truncated.ts'

/** Every file that has to be refused. */
export const hostile: readonly HostileFile[] = [
  ...pickles,
  ...hostileArchives,
  ...manifests,
  ...onnxGraphs,
  ...truncated,
]

/**
 * Writes a file and what belongs to it into a folder of its own.
 * @returns the path of the one to open
 */
export async function lay(folder: string, { files }: HostileFile): Promise<string> {
  await mkdir(folder, { recursive: true })
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes)
  return join(folder, Object.keys(files)[0] ?? '')
}
