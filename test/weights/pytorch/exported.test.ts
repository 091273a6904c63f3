import { describe, expect, test } from 'vitest'
import { readArchive } from '../../../src/weights/archive.ts'
import { isTorchArchive, readTorchArchive } from '../../../src/weights/pytorch/read.ts'
import { bytesSource } from '../../../src/weights/source.ts'
import { archive, bytes, type Entry, soundDict, values, zip } from '../hostile/build.ts'

const int = (value: number) => ({ as_int: value })

/** What an export says of a tensor of four numbers. */
function weight(about: object = {}, meta: object = {}) {
  const tensor = { dtype: 7, sizes: [int(4)], strides: [int(1)], storage_offset: int(0), ...meta }
  return { path_name: 'weight_0', is_param: true, use_pickle: false, tensor_meta: tensor, ...about }
}

async function read(config: object, ...more: Entry[]) {
  const entries: Entry[] = [
    { name: 'net/data/weights/weight_0', data: values },
    {
      name: 'net/data/weights/model_weights_config.json',
      data: bytes(JSON.stringify({ config })),
    },
    { name: 'net/byteorder', data: bytes('little') },
    ...more,
  ]
  const source = bytesSource(zip(entries, { zip64: 'besides' }))
  const file = await readArchive(source)
  expect(isTorchArchive(file)).toBe(true)
  return readTorchArchive(source, file)
}

test('an archive that was packed anew and deflated is read, as PyTorch reads it', async () => {
  const source = bytesSource(
    zip([
      { name: 'net/data.pkl', data: soundDict, deflate: true },
      { name: 'net/byteorder', data: bytes('little'), deflate: true },
      { name: 'net/data/0', data: values, deflate: true },
    ]),
  )
  const { tensors } = await readTorchArchive(source, await readArchive(source))
  expect(tensors['features.0.bias']?.data).toEqual(Float32Array.of(1, 2, 3, 4))
})

describe('an exported program', () => {
  test('gives its weights by their names', async () => {
    const square = { sizes: [int(2), int(2)], strides: [int(1), int(2)] }
    const { tensors } = await read({
      'features.0.bias': weight(),
      'features.0.weight': weight({}, square),
    })
    expect(tensors).toEqual({
      'features.0.bias': { shape: [4], data: Float32Array.of(1, 2, 3, 4), dtype: 'F32' },
      'features.0.weight': { shape: [2, 2], data: Float32Array.of(1, 3, 2, 4), dtype: 'F32' },
    })
  })

  test.each(['serialized_state_dict.pt', 'net/data/weights/model.pt'])(
    'of an older PyTorch is read from its %s',
    async (name) => {
      const read = async (content: Uint8Array) => {
        const source = bytesSource(zip([{ name, data: content }]))
        const file = await readArchive(source)
        expect(isTorchArchive(file)).toBe(true)
        return readTorchArchive(source, file)
      }
      expect(Object.keys((await read(archive(soundDict))).tensors)).toEqual(['features.0.bias'])
      // Not again and again.
      await expect(read(zip([{ name, data: archive(soundDict) }]))).rejects.toThrow(/no data\.pkl/)
    },
  )

  test.each<[string, object, RegExp]>([
    ['numbers of another type', weight({}, { dtype: 9 }), /"x" has numbers of the type 9/],
    [
      'a class of its own',
      weight({ use_pickle: true }),
      /"x" is of a class of its own.*torch\.save/,
    ],
    ['no file', weight({ path_name: '../weight_0' }), /"x" has no numbers/],
    ['no description', weight({ tensor_meta: null }), /"x" has numbers of the type missing/],
    ['no sizes', weight({}, { sizes: [int(-4)] }), /"x" has no numbers, or no sizes/],
    [
      'symbolic sizes',
      weight({}, { sizes: [{ as_expr: 's0' }] }),
      /"x" has no numbers, or no sizes/,
    ],
    ['more numbers than there are', weight({}, { sizes: [int(5)] }), /"x".*does not lie in the 4/],
  ])('with %s is refused', async (_, about, message) => {
    await expect(read({ x: about })).rejects.toThrow(message)
  })

  test('is refused where several are in one file, or its machine is another', async () => {
    const config = { x: weight() }
    const other = { name: 'net/data/weights/b_weights_config.json', data: bytes('{}') }
    await expect(read(config, other)).rejects.toThrow(/several programs/)
    await expect(read([])).rejects.toThrow(/no "config"/)
  })
})
