import { mkdir, mkdtemp, open, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { TensorProto_DataLocation } from 'onnx-buf'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WeightsError } from '../../../src/base/errors.ts'
import { chosenFiles } from '../../../src/weights/chosen.ts'
import { readWeightsFile } from '../../../src/weights/formats.ts'
import { loadWeights } from '../../../src/weights/load.ts'
import { onnxFile, small, type Tensor } from './build.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-onnx-'))
})
afterEach(() => rm(folder, { recursive: true }))

type Entries = Readonly<Record<string, string>>

const external = ({ name = '', dims = [], dataType = 0 }: Tensor, entries: Entries): Tensor => ({
  name,
  dims: [...dims],
  dataType,
  dataLocation: TensorProto_DataLocation.EXTERNAL,
  externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
})

/** `small` with the elements of its tensors in other files, as `entries` says of each. */
const modelWith = (entries: (tensor: Tensor, index: number) => Entries) =>
  onnxFile({ ...small, tensors: small.tensors.map((one, i) => external(one, entries(one, i))) })

const rawOf = (tensor: Tensor) => tensor.rawData as Uint8Array
const lengthOf = (tensor: Tensor) => String(rawOf(tensor).length)

/** Where each tensor begins if they lie one behind the other. */
const offsets = small.tensors.map((_, i) =>
  small.tensors.slice(0, i).reduce((sum, tensor) => sum + rawOf(tensor).length, 0),
)
const together = Buffer.concat(small.tensors.map(rawOf))
const oneFile = (location: string, base = 0) =>
  modelWith((tensor, i) => ({
    location,
    offset: String((offsets[i] ?? Number.NaN) + base),
    length: lengthOf(tensor),
  }))

async function lay(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
  return path
}

const expected = async () => (await loadWeights(await lay('whole.onnx', onnxFile(small)))).tensors
const refusal = async (path: string) => {
  const error = await loadWeights(path).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(WeightsError)
  const { message } = error as WeightsError
  expect(message.startsWith(`${path}: node "first" (Conv): tensor "w"`), message).toBe(true)
  expect(message).not.toMatch(/\n/)
  return message
}

describe('weights in other files of the model’s folder', () => {
  test.each([
    ['one file beside it', 'model.onnx.data'],
    ['named with ./', './model.onnx.data'],
    ['in a folder below', 'parts/deep/model.data'],
    ['with spaces and letters of any script', 'Gewichte für dich/模型.data'],
  ])('%s', async (_, location) => {
    await lay(location, together)
    expect((await loadWeights(await lay('model.onnx', oneFile(location)))).tensors).toEqual(
      await expected(),
    )
  })

  test('a file for each tensor, without offsets and lengths', async () => {
    const model = modelWith(({ name }) => ({ location: `shard_${name}` }))
    for (const tensor of small.tensors) await lay(`shard_${tensor.name}`, rawOf(tensor))
    expect((await loadWeights(await lay('model.onnx', model))).tensors).toEqual(await expected())
  })

  test('what no layer uses is not read', async () => {
    const unused = external({ name: 'unused', dims: [5n], dataType: 1 }, { location: 'nowhere' })
    const path = await lay('m.onnx', onnxFile({ ...small, tensors: [...small.tensors, unused] }))
    expect((await loadWeights(path)).tensors).toEqual(await expected())
  })

  test('behind 5 GB, and the file is not read as a whole', async () => {
    const base = 5 * 2 ** 30
    const file = await open(join(folder, 'large.data'), 'w')
    await file.write(together, 0, together.length, base)
    await file.close()
    const path = await lay('model.onnx', oneFile('large.data', base))
    expect((await loadWeights(path)).tensors).toEqual(await expected())
  })

  test('files that were chosen together in a browser, in any order', async () => {
    const model = new File([oneFile('model.data') as BlobPart], 'model.onnx')
    const data = new File([together], 'model.data')
    for (const files of [
      [data, model],
      [model, data],
    ]) {
      const { name, opener } = chosenFiles(files)
      expect(name).toBe('model.onnx')
      const { tensors } = await readWeightsFile(name, name, opener)
      expect(tensors).toEqual(await expected())
    }
    const { name, opener } = chosenFiles([model])
    await expect(readWeightsFile(name, name, opener)).rejects.toThrow(
      /^model\.onnx: .*model\.data: it is not among the chosen files; choose it together/,
    )
    expect(() => chosenFiles([model, new File([], 'b.onnx')])).toThrow(/2 of them is a model/)
    expect(() => chosenFiles([data, data])).toThrow(/none of them is a model/)
  })
})

describe('what names other files is refused', () => {
  test.each([
    '../outside.data',
    'a/../../outside.data',
    '..',
    '.',
    '',
    '/etc/passwd',
    'a//b',
    'a/',
    'C:\\x',
    'C:x',
    '..\\outside.data',
    '\\\\host\\share',
    'x\0y',
    'file:///etc/passwd',
  ])('outside the folder: %j', async (location) => {
    await lay('outside.data', together)
    const path = await lay('inner/model.onnx', oneFile(location))
    expect(await refusal(path)).toMatch(/which is not a path inside its own folder/)
  })

  test('by a symbolic link, of the file or of a folder', async () => {
    await lay('elsewhere/w.data', together)
    await mkdir(join(folder, 'inner'))
    await symlink(join(folder, 'elsewhere', 'w.data'), join(folder, 'inner', 'w.data'))
    await symlink(join(folder, 'elsewhere'), join(folder, 'inner', 'to'))
    for (const location of ['w.data', 'to/w.data'])
      expect(await refusal(await lay('inner/m.onnx', oneFile(location)))).toMatch(
        /is a symbolic link, which may lead out of the folder/,
      )
  })

  test.each<[string, Entries, RegExp]>([
    ['that is not there', { location: 'nowhere' }, /its file nowhere: no such file/],
    ['that is a folder', { location: 'folder' }, /this is a folder/],
    ['without a name', { offset: '0' }, /lies in another file, which it does not name/],
    ['from behind its end', { location: 'data', offset: '1000000' }, /truncated/],
    ['past its end', { location: 'data', offset: '600' }, /its file data: the file is truncated/],
    ['from before its start', { location: 'data', offset: '-4' }, /has the offset "-4"/],
    ['from a place that is none', { location: 'data', offset: '1e3' }, /has the offset "1e3"/],
    ['from a place beyond exact numbers', { location: 'data', offset: '9'.repeat(16) }, /offset/],
    [
      'with another length',
      { location: 'data', length: '12' },
      /takes 12 bytes of its file "data"/,
    ],
    ['with an immense length', { location: 'data', length: '9'.repeat(30) }, /has the length "999/],
  ])('in a file %s', async (_, entries, says) => {
    await lay('data', together)
    await mkdir(join(folder, 'folder'))
    expect(
      await refusal(
        await lay(
          'model.onnx',
          modelWith(() => entries),
        ),
      ),
    ).toMatch(says)
  })

  test('where a tensor claims gigabytes that its file does not have', async () => {
    const claim = { name: 'w', dims: [2n ** 20n, 3n, 100n, 100n], dataType: 1 }
    await lay('data', together)
    const tensors = [external(claim, { location: 'data' }), ...small.tensors.slice(1)]
    const path = await lay('model.onnx', onnxFile({ ...small, tensors }))
    expect(await refusal(path)).toMatch(/would take 125829120000 bytes of memory, from a file of/)
  })
})

test('a file of 3 GB that is no model is refused without reading it', async () => {
  const path = await lay('zeros.onnx', new Uint8Array(0))
  await truncate(path, 3 * 2 ** 30)
  await expect(loadWeights(path)).rejects.toThrow(/not an ONNX model, or it is cut short/)
  const sound = await readFile(await lay('sound.onnx', onnxFile(small)))
  await writeFile(path, sound)
  await truncate(path, 3 * 2 ** 30)
  await expect(loadWeights(path)).rejects.toThrow(/not an ONNX model, or it is cut short/)
})
