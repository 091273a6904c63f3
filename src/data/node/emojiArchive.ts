/** The demo's emoji in the npm package, which does not install the package that they come from. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { Header } from 'tar'
import type { ArrayDataset } from '../dataset.ts'

const block = 512

/** Emoji as a tar archive of `<class>/<image>`; the same emoji give the same bytes. */
export async function emojiArchive({ train, val }: ArrayDataset): Promise<Uint8Array> {
  const samples = [...train, ...val].sort((a, b) => (a.name < b.name ? -1 : 1))
  const parts: Uint8Array[] = []
  for (const { name: path, source } of samples) {
    const image = await readFile(String(source))
    const header = Buffer.alloc(block)
    new Header({ path, size: image.length, mode: 0o644, mtime: new Date(0), type: 'File' }).encode(
      header,
    )
    parts.push(header, image, Buffer.alloc(-image.length & (block - 1)))
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * block)])
}

/** The licenses of the emoji, for whatever they are packed into. */
export async function emojiLicense(): Promise<string> {
  const { resolve } = createRequire(import.meta.url)
  const [mit, apache] = await Promise.all(
    // TypeScript has the Apache License too.
    ['emoji-datasource-google/LICENSE', 'typescript/LICENSE.txt'].map((file) =>
      readFile(resolve(file), 'utf8'),
    ),
  )
  return (
    'The emoji come from the npm package emoji-datasource-google, under the first license ' +
    'below.\nThey are drawn by Google (Noto Emoji), under the second one.\n\n' +
    `${mit}\n\n${apache}`
  )
}
