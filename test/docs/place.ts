/** The folder that a reader of the docs has: small images and weights under the names used there. */
import { createHash } from 'node:crypto'
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { create } from 'tar'
import { at } from '../../src/base/at.ts'
import type { StateDict } from '../../src/base/stateDict.ts'
import type { NamedDataset } from '../../src/data/datasets/registry.ts'
import type * as Graft from '../../src/index.ts'
import type { NamedWeights } from '../../src/weights/registry.ts'
import { datasetOf, imageOf, zipOf } from '../data/datasets/archives.ts'
import { FileServer, send } from '../support/fileServer.ts'
import { drawnShapes } from '../support/shapes.ts'
import { bytes, pickle, storage, stream, tensor, u64 } from '../weights/hostile/build.ts'

const { text, integer, tuple, dict, program } = pickle

/** A class has so many images, and training it needs no patience. */
const each = 8

/**
 * Writes everything that pages name into `folder`, and links the package into it.
 * @param graft the package's own module
 */
export async function preparePlace(
  folder: string,
  packageFolder: string,
  graft: typeof Graft,
): Promise<void> {
  const { train } = await drawnShapes({ train: each, val: 0 })
  const names = ['cat', 'dog', 'horse']
  const files = train.map(({ source, label }, i) => {
    if (!(source instanceof Uint8Array)) throw new Error('these images are in memory')
    return { png: source, name: `${at(names, label)}/${i % each}.png`, label: at(names, label) }
  })
  for (const { name, png } of files) {
    await mkdir(join(folder, 'photos', name, '..'), { recursive: true })
    await writeFile(join(folder, 'photos', name), png)
  }
  for (const name of ['drawings', 'products', 'spectra', 'test-photos'])
    await cp(join(folder, 'photos'), join(folder, name), { recursive: true })
  const rows = files.map(({ name, label }) => `photos/${name},${label}`)
  await writeFile(join(folder, 'labels.csv'), `file,label\n${rows.join('\n')}\n`)
  await create({ cwd: folder, file: join(folder, 'photos.tar') }, ['photos'])

  const jpeg = await sharp(at(files, 0).png).jpeg().toBuffer()
  await mkdir(join(folder, 'new-photos'))
  for (const name of ['cat.jpg', 'new-photos/1.jpg', 'new-photos/2.jpg'])
    await writeFile(join(folder, name), jpeg)
  await writeFile(join(folder, 'cat2.png'), at(files, 1).png)

  await writeWeights(folder, graft)
  await mkdir(join(folder, 'node_modules'))
  await symlink(packageFolder, join(folder, 'node_modules', 'graft-webgpu'))
}

async function writeWeights(
  folder: string,
  { alexnet, createEngine, exportOnnx, writePyTorch }: typeof Graft,
): Promise<void> {
  const engine = await createEngine()
  const narrow = { channels: [4, 8, 8, 8, 8], hidden: 12, seed: 1 } as const
  const small = await alexnet(engine, { variant: 'alexnet-64', classes: 3, ...narrow })
  const state = await small.stateDict()
  await writeFile(join(folder, 'checkpoint.pth'), await writePyTorch(state))
  await writeFile(join(folder, 'alexnet.onnx'), await exportOnnx(small))
  const copies = ['student', 'teacher'].flatMap((prefix) =>
    Object.entries(state).map(([name, array]) => [`${prefix}.${name}`, array] as const),
  )
  await writeFile(join(folder, 'distilled.pth'), await writePyTorch(Object.fromEntries(copies)))
  await writeFile(join(folder, 'last.ckpt'), averagedCheckpoint(state))
  engine.dispose()
}

/** What Lightning writes with an average of the weights, as far as it matters here. */
function averagedCheckpoint(state: StateDict): Uint8Array {
  const arrays = Object.entries(state)
  const tensors = arrays.flatMap(([name, { shape, data }], i) => {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1))
    const numbers = (list: readonly number[]) => tuple(...list.map(integer))
    const of = storage({ key: `${i}`, length: integer(data.length) })
    return [text(name), tensor({ of, shape: numbers(shape), strides: numbers(strides) })]
  })
  const average = dict(text('EMA'), dict(text('state_dict'), dict(...tensors)))
  const saved = dict(text('state_dict'), dict(...tensors), text('callbacks'), average)
  return stream(program(saved), {
    keys: program(']', ...arrays.flatMap((_, i) => [text(`${i}`), 'a'])),
    data: bytes(
      ...arrays.flatMap(([, { data }]) => [u64(BigInt(data.length)), new Uint8Array(data.buffer)]),
    ),
  })
}

/** The lists of names that the command reads, whose entries are replaced here. */
interface Names {
  readonly namedDatasets: readonly NamedDataset[]
  readonly namedWeights: readonly NamedWeights[]
}

/**
 * Puts small files of a server here in place of those that the docs download by name: nothing is
 * fetched from elsewhere.
 */
export async function serveDownloads(
  { namedDatasets, namedWeights }: Names,
  graft: typeof Graft,
): Promise<void> {
  const server = new FileServer()
  await server.listen()
  const [red, blue] = await Promise.all([imageOf('red'), imageOf('blue')])
  const photos = ['train', 'val'].flatMap((part) =>
    Array.from({ length: 8 }, (_, i) => [
      [`hymenoptera/${part}/ants/${i}.jpg`, red] as const,
      [`hymenoptera/${part}/bees/${i}.jpg`, blue] as const,
    ]).flat(),
  )
  const archive = await zipOf(Object.fromEntries(photos))
  const engine = await graft.createEngine()
  const narrow = { channels: [4, 4, 4, 4, 4], hidden: 8, classes: 10, seed: 1 } as const
  const model = await graft.alexnet(engine, { variant: 'torchvision', ...narrow })
  const weights = await graft.writePyTorch(await model.stateDict())
  engine.dispose()
  server.now((visit) => send(visit.request.url?.endsWith('.zip') ? archive : weights, visit))
  const dataset = datasetOf(server, 'hymenoptera', 'parts', { 'hymenoptera.zip': archive })
  Object.assign(named(namedDatasets, 'hymenoptera'), dataset)
  Object.assign(named(namedWeights, 'torchvision/alexnet'), {
    ...{
      file: server.url('/alexnet.pth'),
      sha256: createHash('sha256').update(weights).digest('hex'),
    },
    ...{ earlier: undefined, classes: 10, classNames: undefined, parameters: null },
  })
}

function named<Entry extends { readonly name: string }>(list: readonly Entry[], name: string) {
  const entry = list.find((one) => one.name === name)
  if (!entry) throw new Error(`${name} is no longer a name`)
  return entry
}
