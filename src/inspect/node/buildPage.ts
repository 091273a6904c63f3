/**
 * Part of `npm run build`: bundles the inspector's page into dist as a module, so that neither the
 * package nor a web page needs a bundler for it.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { bundleSources } from './bundleSources.ts'

const folder = new URL('../../../dist/inspect/page/', import.meta.url)
await mkdir(folder, { recursive: true })
const exported = Object.entries(await bundleSources()).map(
  ([name, text]) => `export const ${name} = ${JSON.stringify(text)}\n`,
)
await writeFile(new URL('index.js', folder), exported.join(''))
