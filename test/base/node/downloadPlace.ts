import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { type DownloadOptions, download } from '../../../src/base/node/download.ts'
import { FileServer } from '../../support/fileServer.ts'

/** A file of so many bytes on a server, and in each test another folder to fetch it into. */
export function downloadPlace(length: number) {
  const file = Uint8Array.from({ length }, (_, i) => (Math.imul(i, 2654435761) >>> 13) & 255)
  const sha256 = createHash('sha256').update(file).digest('hex')
  const server = new FileServer()
  const place = {
    file,
    sha256,
    server,
    folder: '',
    /** Where the file goes: below `folder`, in a folder that is not there yet. */
    path: '',
    fetchFile: (options: DownloadOptions = {}, wanted = sha256) =>
      download('mine', server.url('/file.pth'), place.path, wanted, {
        pause: 1,
        idle: 2000,
        ...options,
      }),
    arrived: async () => Buffer.compare(await readFile(place.path), file) === 0,
  }
  beforeAll(() => server.listen())
  afterAll(() => server.close())
  beforeEach(async () => {
    place.folder = await mkdtemp(join(tmpdir(), 'graft-download-'))
    place.path = join(place.folder, 'cache', 'file.pth')
  })
  afterEach(() => rm(place.folder, { recursive: true }))
  return place
}
