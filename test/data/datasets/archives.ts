import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { Uint8ArrayReader, Uint8ArrayWriter, ZipWriter } from '@zip.js/zip.js/lib/zip-core.js'
import sharp from 'sharp'
import { create } from 'tar'
import type { LayoutName, NamedDataset } from '../../../src/data/datasets/registry.ts'
import type { FileServer } from '../../support/fileServer.ts'

/** Small archives as the publishers of the named datasets make them. */

/** Paths in an archive, and their bytes. */
export type Contents = Readonly<Record<string, Uint8Array | string>>

export async function zipOf(contents: Contents): Promise<Uint8Array> {
  const zip = new ZipWriter(new Uint8ArrayWriter(), { useWebWorkers: false })
  for (const [path, bytes] of Object.entries(contents))
    await zip.add(path, new Uint8ArrayReader(new Uint8Array(Buffer.from(bytes as string))))
  return zip.close()
}

export async function tarOf(contents: Contents, gzip = false): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-tar-'))
  try {
    for (const [path, bytes] of Object.entries(contents)) {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path), bytes)
    }
    const names = await readdir(folder)
    await create({ cwd: folder, file: join(folder, '.made'), gzip }, names)
    return await readFile(join(folder, '.made'))
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** A list of names as MATLAB writes it: a header, and an element that is compressed or not. */
export function matOf(names: readonly string[], { compressed = true, wide = false } = {}): Buffer {
  const text = Buffer.concat(
    names.map((name) =>
      Buffer.concat([Buffer.alloc(8), Buffer.from(name, wide ? 'utf16le' : 'latin1')]),
    ),
  )
  const content = compressed ? deflateSync(text) : text
  const tag = Buffer.alloc(8)
  tag.writeUInt32LE(compressed ? 15 : 14, 0)
  tag.writeUInt32LE(content.length, 4)
  return Buffer.concat([Buffer.alloc(128, 'MATLAB 5.0 MAT-file'), tag, content])
}

/** A small image of one color. */
export function imageOf(color: string, side = 72): Promise<Buffer> {
  return sharp({ create: { width: side, height: side, channels: 3, background: color } })
    .jpeg()
    .toBuffer()
}

/** A dataset whose archives a server has under their names. */
export function datasetOf(
  server: FileServer,
  name: string,
  layout: LayoutName,
  archives: Readonly<Record<string, Uint8Array>>,
  { published = true } = {},
): NamedDataset {
  return {
    name,
    about: 'made for a test',
    classes: 2,
    images: 4,
    layout,
    division: 'as made',
    license: 'none needed',
    archives: Object.entries(archives).map(([file, bytes]) => ({
      url: server.url(`/${file}`),
      bytes: bytes.length,
      sha256: published ? createHash('sha256').update(bytes).digest('hex') : null,
    })),
  }
}
