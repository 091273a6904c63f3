import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, vi } from 'vitest'
import type { LayoutName, NamedDataset } from '../../src/data/datasets/registry.ts'
import { namedDatasets } from '../../src/data/datasets/registry.ts'
import { datasetOf, zipOf } from '../data/datasets/archives.ts'
import { FileServer, send } from '../support/fileServer.ts'

/**
 * During the tests of a file, the registry has one more dataset, which a server here publishes; the
 * current folder and the cache are empty ones.
 * @param members makes the files of its only archive, `<name>.zip`
 */
export function withDataset(
  name: string,
  layout: LayoutName,
  members: () => Promise<Readonly<Record<string, Uint8Array>>>,
): { readonly server: FileServer; readonly folder: () => string } {
  const datasets = namedDatasets as NamedDataset[]
  const server = new FileServer()
  const before = process.cwd()
  let folder = ''
  beforeAll(async () => {
    await server.listen()
    folder = await mkdtemp(join(tmpdir(), 'graft-dataset-'))
    vi.stubEnv('GRAFT_CACHE', join(folder, 'cache'))
    vi.stubEnv('XDG_CONFIG_HOME', join(folder, 'config'))
    vi.stubEnv('GRAFT_OFFLINE', '')
    process.chdir(folder)
    const archive = await zipOf(await members())
    datasets.push(datasetOf(server, name, layout, { [`${name}.zip`]: archive }))
    server.now((visit) => send(archive, visit))
  })
  afterAll(async () => {
    process.chdir(before)
    datasets.pop()
    vi.unstubAllEnvs()
    await server.close()
    await rm(folder, { recursive: true })
  })
  return { server, folder: () => folder }
}
