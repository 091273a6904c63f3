/** Part of `npm run build`: bundles the inspector's page into dist, so that the package needs no bundler where it is installed. */
import { mkdir, writeFile } from 'node:fs/promises'
import { bundleSources } from './bundle.ts'

const folder = new URL('../../dist/inspect/page/', import.meta.url)
const { script, style } = await bundleSources()
await mkdir(folder, { recursive: true })
await writeFile(new URL('page.js', folder), script)
await writeFile(new URL('page.css', folder), style)
