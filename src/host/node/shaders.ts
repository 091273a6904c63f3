import { readdir, readFile } from 'node:fs/promises'

/** Every file in the package's folder shaders/, by its path there. */
export async function readShaders(): Promise<ReadonlyMap<string, string>> {
  const root = new URL('../../../shaders/', import.meta.url)
  const names = await readdir(root, { recursive: true })
  const files = names
    .filter((name) => name.endsWith('.wgsl'))
    .map(async (name): Promise<[string, string]> => {
      const path = name.replaceAll('\\', '/')
      return [path, await readFile(new URL(path, root), 'utf8')]
    })
  return new Map(await Promise.all(files))
}
