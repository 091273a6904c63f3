import { readdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const root = new URL('./', import.meta.url)

/**
 * Writes index.js, every kernel by its path here, as a module: what a bundler takes into a web page
 * without a plugin. `npm run build` calls it. The .wgsl files stay the only place where kernels are
 * written.
 */
export async function embedShaders() {
  const names = (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.wgsl'))
  const paths = names.map((name) => name.replaceAll('\\', '/')).sort()
  const entries = await Promise.all(
    paths.map(async (path) => [path, await readFile(new URL(path, root), 'utf8')]),
  )
  await writeFile(
    new URL('index.js', root),
    `export default ${JSON.stringify(Object.fromEntries(entries), null, 1)}\n`,
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await embedShaders()
