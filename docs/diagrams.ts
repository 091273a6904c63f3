/** Writes the diagrams of README and the site into docs/images: `npm run diagrams`. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { diagramFile } from '../src/look/diagramFile.tsx'

const folder = join(import.meta.dirname, 'images')
mkdirSync(folder, { recursive: true })
for (const name of ['four-situations', 'transfer-learning'] as const) {
  writeFileSync(join(folder, `${name}.svg`), diagramFile(name, 'light'))
  writeFileSync(join(folder, `${name}-dark.svg`), diagramFile(name, 'dark'))
}
