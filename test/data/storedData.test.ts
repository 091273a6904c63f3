import { mkdir, readdir, readFile, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { create } from 'tar'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ImageDataset, SampleList } from '../../src/data/dataset.ts'
import { openData } from '../../src/data/openData.ts'
import { storedImages } from '../../src/data/storedImages.ts'
import { encodedBytes } from '../../src/host/node/decode.ts'
import { openStore } from '../../src/store/node/openStore.ts'
import { makeBucket, present, s3Environment, startS3, type TestServer } from '../support/servers.ts'
import { useTempFolder, writeFiles } from './images.ts'

const inTemp = useTempFolder()

/** Files of which each has a content of its own. */
function files(...paths: readonly string[]): Record<string, string> {
  return Object.fromEntries(paths.map((path) => [path, `content of ${path}`]))
}

const numbered = (...folders: readonly string[]) =>
  folders.flatMap((folder) => Array.from({ length: 7 }, (_, i) => `${folder}/${i + 1}.jpg`))

const inFolders = files(...numbered('cat', 'dog/small', 'dog/large', 'größe'))

/** Datasets, each as the files of a folder, and what of it is opened. */
const datasets: Readonly<
  Record<string, { files: Record<string, string>; tars?: Tars; of?: string }>
> = {
  'class folders': { files: inFolders },
  'parts beside others': {
    files: files(...numbered('Train/a', 'Train/b', 'Valid/a', 'Valid/b', 'test/a'), 'notes.txt'),
  },
  'other formats and hidden files': {
    files: { ...inFolders, ...files('cat/x.heic', 'dog/y.gif', '.git/z.jpg', 'cat/._1.jpg') },
  },
  'a trained run among classes': {
    files: { ...inFolders, ...files('runs/x/config.json', 'runs/x/weights.safetensors') },
  },
  'a table': {
    files: {
      ...inFolders,
      'labels.csv':
        'file,label\n' +
        numbered('cat', 'dog/small')
          .map((path) => `${path},${dirname(path)}`)
          .join('\n'),
    },
  },
  'a table by its name, with files to search for, and one that is missing': {
    files: {
      ...files(...numbered('images/a').map((path, i) => join(dirname(path), `a${i}.jpg`))),
      'names.csv':
        'image,label\nno/such.jpg,y\ns3://elsewhere/images/a/a0.jpg,x\n' +
        [1, 2, 3, 4, 5, 6].map((i) => `a${i},${i % 2 ? 'x' : 'y'}`).join('\n'),
    },
    of: 'names.csv',
  },
  archives: {
    files: files('notes.txt'),
    tars: { 'train-0.tar': ['cat', 'dog'], 'val-0.tar': ['cat', 'dog'] },
  },
  'archives in folders of parts': {
    files: files('beside/1.jpg'),
    tars: { 'train/0.tar': ['cat', 'dog'], 'val/0.tar': ['cat', 'dog'] },
  },
  'one archive': {
    files: {},
    tars: { 'all of it.tar': ['cat', 'dog', 'größe'] },
    of: 'all of it.tar',
  },
  'an empty class': { files: { ...inFolders, ...files('empty/x.heic') } },
  'one class': { files: files(...numbered('cat')) },
  'no class': { files: files('1.jpg', '2.jpg') },
  'one part': { files: files(...numbered('train/a', 'train/b')) },
}
type Tars = Readonly<Record<string, readonly string[]>>

async function made(
  { files, tars = {} }: { files: Record<string, string>; tars?: Tars },
  root: string,
) {
  await mkdir(root, { recursive: true })
  await writeFiles(root, files)
  for (const [name, classes] of Object.entries(tars)) {
    const from = join(root, '..', `of-${basename(root)}`)
    const members = numbered(...classes)
    await writeFiles(from, Object.fromEntries(members.map((path) => [path, `${name} ${path}`])))
    await mkdir(dirname(join(root, name)), { recursive: true })
    await create({ file: join(root, name), cwd: from, portable: true }, members)
  }
}

async function uploaded(root: string, address: string): Promise<void> {
  const store = await openStore(address)
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    await store.write(path.slice(root.length + 1), await readFile(path))
  }
}

/** All that is said of a dataset, and its images' bytes; or the error. */
async function told(opening: Promise<ImageDataset>, root: string): Promise<unknown> {
  const plain = (text: string) => text.replaceAll(root, '…')
  const images = (samples: SampleList) =>
    Promise.all(
      Array.from(samples, async ({ name, label, source }) => {
        const bytes = await encodedBytes(source, name).catch(() => null)
        return [name, label, bytes && Buffer.from(bytes).toString()]
      }),
    )
  try {
    const { classes, train, val, passedOver, remarks } = await opening
    const said = remarks?.map(plain)
    return { classes, passedOver, said, train: await images(train), val: await images(val) }
  } catch (error) {
    return plain((error as Error).message)
  }
}

describe.each(Object.entries(datasets))('%s', (name, dataset) => {
  const of = dataset.of ? `/${dataset.of}` : ''
  let root: string
  let disk: unknown

  beforeAll(async () => {
    root = inTemp(name)
    await made(dataset, root)
    disk = await told(openData(root + of, { seed: 3 }), root)
  })

  test('is the same in a file: store as on the disk', async () => {
    const address = pathToFileURL(root).href
    expect(await told(openData(pathToFileURL(root + of).href, { seed: 3 }), address)).toEqual(disk)
  })

  test.skipIf(!present.s3)('is the same in S3 as on the disk', async () => {
    await startedS3()
    const address = `s3://bucket/data/${name}`
    await uploaded(root, address)
    expect(await told(openData(address + of, { seed: 3 }), address)).toEqual(disk)
  })
})

let server: Promise<TestServer> | null = null

function startedS3(): Promise<TestServer> {
  server ??= startS3().then(async (started) => {
    Object.assign(process.env, s3Environment(started.url))
    await makeBucket(started.url, 'bucket')
    return started
  })
  return server
}

afterAll(async () => (await server)?.stop())

describe('all images at an address', () => {
  const namesAt = async (address: string) =>
    Array.from(await storedImages(address), ({ name }) => name)

  test('below a folder, whatever its folders are called', async () => {
    await writeFiles(inTemp('flat'), files('b.jpg', 'a/1.png', 'a.jpg', '.hidden.jpg', 'x.txt'))
    const address = pathToFileURL(inTemp('flat')).href
    expect(await namesAt(address)).toEqual(['a.jpg', 'a/1.png', 'b.jpg'])
    const { source } = (await storedImages(address)).at(1)
    expect(source.address).toBe(`${address}/a/1.png`)
    expect(Buffer.from(await source.read()).toString()).toBe('content of a/1.png')
    expect(await namesAt(`${address}/a.jpg`)).toEqual(['a.jpg'])
  })

  test('in archives, and in a table', async () => {
    const archives = await namesAt(pathToFileURL(inTemp('archives')).href)
    expect(archives).toHaveLength(28)
    expect(archives[0]).toBe('train-0.tar/cat/1.jpg')
    const table = pathToFileURL(inTemp('a table', 'labels.csv')).href
    expect(await namesAt(table)).toHaveLength(14)
  })

  test('none at all is an error', async () => {
    await writeFiles(inTemp('none'), { 'x.txt': '' })
    const none = pathToFileURL(inTemp('none')).href
    await expect(storedImages(none)).rejects.toThrow(/holds no image/)
    await expect(openData(`${none}/y`)).rejects.toThrow(/^there is nothing at .*none\/y/)
    await expect(openData(`${none}/x.txt`)).rejects.toThrow(/is not a file of labels or an archive/)
  })
})

test('a broken link in a store is an image that cannot be read', async () => {
  await writeFiles(inTemp('links'), files(...numbered('cat', 'dog')))
  await symlink('nowhere', inTemp('links', 'cat', 'gone.jpg'))
  const { train, val } = await openData(pathToFileURL(inTemp('links')).href)
  const gone = [...train, ...val].find(({ name }) => name === 'cat/gone.jpg')
  await expect(encodedBytes(gone?.source ?? '', 'cat/gone.jpg')).rejects.toMatchObject({
    code: 'data',
  })
})

test.skipIf(!present.s3)('keys that are no paths are passed over, and said', async () => {
  const { url } = await startedS3()
  const keys = numbered('cat', 'dog')
  for (const key of [...keys, 'cat//8.jpg', '..%2F..%2Fup.jpg', 'cat/%01.jpg', 'dog/'])
    await fetch(`${url}/bucket/odd/${key}`, { method: 'PUT', body: key })
  const { train, val, remarks } = await openData('s3://bucket/odd')
  expect(train.length + val.length).toBe(14)
  expect(remarks).toEqual([
    'passed over 3 objects whose names are no paths, such as "../../up.jpg"',
  ])
})
