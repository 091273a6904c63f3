import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WeightsError } from '../../src/base/errors.ts'
import { loadNamedWeights, loadWeights } from '../../src/weights/load.ts'
import { findNamedWeights, isShipped, namedWeights } from '../../src/weights/registry.ts'
import { writeSafetensors } from '../../src/weights/safetensors.ts'
import { onnxFile, small } from './onnx/build.ts'

const name = 'alexnet-64-tinyimagenet100'
const sound = writeSafetensors({ x: { shape: [1], data: Float32Array.of(3) } }, { k: 'v' })

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-load-'))
  await writeFile(join(folder, 'sound.safetensors'), sound)
  await writeFile(join(folder, 'UPPER.SAFETENSORS'), sound)
  await writeFile(join(folder, 'cut.safetensors'), sound.subarray(0, sound.length - 1))
  await writeFile(join(folder, 'plain'), sound)
  await writeFile(join(folder, 'empty'), '')
  await writeFile(join(folder, 'damaged.onnx'), Buffer.from('this is text, not a model'))
  await writeFile(join(folder, 'net'), onnxFile(small))
  await writeFile(
    join(folder, 'text.pth'),
    'These are no weights, although they are long enough to be some.',
  )
  await writeFile(join(folder, 'keras.h5'), Buffer.from('894844460d0a1a0a00000000', 'hex'))
  await writeFile(
    join(folder, 'one.npy'),
    Buffer.from('934e554d5059010076007b27646573637227', 'hex'),
  )
  await writeFile(join(folder, 'page.pth'), '\n<!DOCTYPE html><html><body>Not found</body></html>')
  await writeFile(
    join(folder, 'pointer.pth'),
    'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 244408911\n',
  )
  await writeFile(join(folder, 'packed.gz'), Buffer.from('1f8b0800000000000003', 'hex'))
  await writeFile(
    join(folder, 'old.pth'),
    Buffer.concat([Buffer.alloc(257, 'x'), Buffer.from('ustar\x0000'), Buffer.alloc(248)]),
  )
  await writeFile(join(folder, 'other.json'), '{"name":"somebody"}')
  await mkdir(join(folder, 'run'))
  await mkdir(join(folder, 'odd', 'weights.safetensors'), { recursive: true })
  for (const run of ['done', 'begun', 'torn', 'odd']) {
    await mkdir(join(folder, run), { recursive: true })
    await writeFile(join(folder, run, 'config.json'), '{}')
  }
  await writeFile(join(folder, 'done', 'weights.safetensors'), sound)
  await writeFile(join(folder, 'torn', 'weights.safetensors'), sound.subarray(0, sound.length - 1))
  await mkdir(join(folder, 'folder.safetensors'))
})
afterAll(() => rm(folder, { recursive: true }))

async function failure(action: Promise<unknown>): Promise<string> {
  const error = await action.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(WeightsError)
  const { message } = error as WeightsError
  expect(message).not.toMatch(/\n/)
  return message
}

const shipped = namedWeights.filter(isShipped)
const percent = (share = Number.NaN) => (100 * share).toFixed(1)

describe('the weights that Graft ships', () => {
  test('every .safetensors file has an entry and a card, and nothing else has', async () => {
    const files = (await readdir(fileURLToPath(new URL('../../weights', import.meta.url)))).sort()
    expect(files).toEqual(
      shipped.flatMap((weights) => [`${weights.name}.md`, `${weights.name}.safetensors`]).sort(),
    )
  })

  test.each(shipped)('$name: file, entry and card agree', async (weights) => {
    const bytes = await readFile(weights.file)
    const card = await readFile(fileURLToPath(weights.file).replace(/safetensors$/, 'md'), 'utf8')
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    expect(weights.sha256).toBe(sha256)
    expect(card.match(/\b[0-9a-f]{64}\b/g)).toEqual([sha256])
    expect(card).toContain(`${bytes.length.toLocaleString('en-US')} bytes`)
    expect(card).toContain(`${weights.parameters?.toLocaleString('en-US')} in `)
    expect(card).toContain(
      `top-1 ${percent(weights.accuracy?.top1)} %, top-5 ${percent(weights.accuracy?.top5)} %`,
    )
    expect(card).toContain(`| license | ${weights.license} |`)
  })

  test('alexnet-64-tinyimagenet100 holds alexnet-64 with 100 classes', async () => {
    const { tensors, metadata } = await loadWeights(name)
    const shapes = Object.fromEntries(
      Object.entries(tensors).map(([key, { shape }]) => [key, shape.join('x')]),
    )
    expect(shapes).toEqual({
      'features.0.weight': '32x3x5x5',
      'features.0.bias': '32',
      'features.3.weight': '96x32x5x5',
      'features.3.bias': '96',
      'features.6.weight': '128x96x3x3',
      'features.6.bias': '128',
      'features.8.weight': '128x128x3x3',
      'features.8.bias': '128',
      'features.10.weight': '96x128x3x3',
      'features.10.bias': '96',
      'classifier.1.weight': '512x864',
      'classifier.1.bias': '512',
      'classifier.4.weight': '512x512',
      'classifier.4.bias': '512',
      'classifier.6.weight': '100x512',
      'classifier.6.bias': '100',
    })
    const arrays = Object.values(tensors)
    expect(arrays.length).toBe(16)
    expect(arrays.reduce((sum, { data }) => sum + data.length, 0)).toBe(1_205_156)
    expect(
      arrays.every(({ data }) => data.every(Number.isFinite) && data.some((value) => value !== 0)),
    ).toBe(true)
    const entry = findNamedWeights(name)
    expect(entry).toMatchObject({
      variant: metadata.architecture,
      classes: 100,
      parameters: 1_205_156,
    })
    expect(entry?.accuracy).toEqual({
      top1: Number(metadata.val_top1),
      top5: Number(metadata.val_top5),
    })
    expect(JSON.parse(metadata.classes ?? '')).toHaveLength(100)
  })

  test('are refused when their bytes are not those published', async () => {
    const entry = findNamedWeights(name)
    if (!entry) throw new Error('not registered')
    const changed = { ...entry, file: pathToFileURL(join(folder, 'sound.safetensors')) }
    const found = createHash('sha256').update(sound).digest('hex')
    expect(await failure(loadNamedWeights(changed))).toMatch(
      new RegExp(`^${name}: .*damaged.*${found} and ${entry.sha256}`),
    )
    expect((await loadNamedWeights({ ...changed, sha256: found })).tensors.x?.data[0]).toBe(3)
    const gone = { ...entry, file: pathToFileURL(join(folder, 'gone.safetensors')) }
    expect(await failure(loadNamedWeights(gone))).toMatch(
      new RegExp(`^${name}: .*gone.safetensors is missing; install Graft again`),
    )
  })
})

describe('loadWeights', () => {
  test.each(['sound.safetensors', 'UPPER.SAFETENSORS', 'plain'])(
    'reads %s by its path, its format told by its content',
    async (file) => {
      const { tensors, metadata } = await loadWeights(join(folder, file))
      expect(tensors).toEqual({ x: { shape: [1], data: Float32Array.of(3), dtype: 'F32' } })
      expect(metadata).toEqual({ k: 'v' })
    },
  )

  test.each(['done', 'done/'])('reads the weights of the run folder %s', async (run) => {
    const { tensors } = await loadWeights(join(folder, run))
    expect(tensors.x?.data).toEqual(Float32Array.of(3))
  })

  test('reads an ONNX file’s arrays by their layers', async () => {
    const { tensors } = await loadWeights(join(folder, 'net'))
    expect(Object.entries(tensors).map(([key, { shape }]) => [key, shape])).toEqual([
      ['first.weight', [2, 3, 3, 3]],
      ['first.bias', [2]],
      ['linear.weight', [4, 32]],
      ['linear.bias', [4]],
    ])
  })

  const wrong: [string, string, RegExp][] = [
    ['an unknown name', 'alexnet-65', new RegExp(`^alexnet-65: .*${name}`)],
    ['a name that every object has', 'constructor', new RegExp(`^constructor: .*${name}`)],
    ['an empty name', '', new RegExp(name)],
    ['a missing file', '@/none.safetensors', /none\.safetensors: no such file/],
    ['a file below a file', '@/plain/x.safetensors', /x\.safetensors: no such file/],
    [
      'a folder',
      '@/run',
      /run: this is a folder; name the file in it, or a folder that train has written/,
    ],
    ['a run that was not finished', '@/begun', /begun: this run holds no weights.*--resume' cont/],
    ['a run whose weights are a folder', '@/odd', /odd.weights\.safetensors: this is a folder/],
    ['a run whose weights are damaged', '@/torn', /torn.weights\.safetensors: .*is truncated/],
    ['a folder named like a file', '@/folder.safetensors', /folder\.safetensors: this is a folder/],
    [
      'a damaged file',
      '@/cut.safetensors',
      new RegExp(
        `^.*cut\\.safetensors: the file is truncated: ${sound.length - 1} bytes.*${sound.length}`,
      ),
    ],
    ['a PyTorch file that is missing', 'alexnet.PT', /^alexnet\.PT: no such file/],
    ['an ONNX file that is missing', 'alexnet.onnx', /^alexnet\.onnx: no such file/],
    [
      'a damaged ONNX file',
      '@/damaged.onnx',
      /damaged\.onnx: this is not an ONNX model, or it is cut short/,
    ],
    [
      'an empty file',
      '@/empty',
      /empty: this is not a weights file that Graft knows: it reads PyTorch checkpoints/,
    ],
    ['a text', '@/text.pth', /text\.pth: this is not a weights file that Graft knows/],
    ['a Keras file', '@/keras.h5', /HDF5.*tensorflowjs_converter/],
    ['one array', '@/one.npy', /single NumPy array.*savez/],
    ['a web page', '@/page.pth', /web page/],
    ['a Git LFS pointer', '@/pointer.pth', /git lfs pull/],
    ['a gzip', '@/packed.gz', /gzip/],
    ['a tar of the first PyTorch', '@/old.pth', /tar archive.*0\.1\.10/],
    [
      'a JSON file of something else',
      '@/other.json',
      /neither a shard index .* nor a TensorFlow\.js model/,
    ],
    ['a device', '/dev/zero', /zero: this is no ordinary file/],
  ]
  test.each(wrong)('refuses %s', async (_, path, message) => {
    const text = await failure(loadWeights(path.replace('@', folder)))
    expect(text).toMatch(message)
  })
})
