import { describe, expect, test } from 'vitest'
import { readTorchStream } from '../../../src/weights/pytorch/read.ts'
import { bytesSource } from '../../../src/weights/source.ts'
import { bytes, pickle, storage, stream, tensor } from '../hostile/build.ts'

const { text, integer, tuple, dict, program } = pickle

/**
 * What is read from a checkpoint of these names, nested in dictionaries of these keys, the
 * outermost first.
 */
async function read(names: readonly string[], nests: readonly string[] = []) {
  const inner = dict(...names.flatMap((name) => [text(name), tensor()]))
  const saved = [...nests]
    .reverse()
    .reduce((value, key) => dict(text(key), value, text('epoch'), integer(7)), inner)
  return readTorchStream(bytesSource(stream(program(saved))))
}

describe('where a state_dict lies', () => {
  test.each([
    [[]],
    [['state_dict']],
    [['model']],
    [['model_state_dict']],
    [['model', 'state_dict']],
  ])('in %j', async (nests) => {
    const { tensors, metadata } = await read(['features.0.bias'], nests)
    expect(tensors).toEqual({
      'features.0.bias': { shape: [4], data: Float32Array.of(1, 2, 3, 4), dtype: 'F32' },
    })
    expect(metadata).toEqual(nests.length ? { epoch: '7' } : {})
  })
})

describe('what lies beside it', () => {
  test('texts, numbers and lists of texts are metadata; a number of classes is not taken for their names', async () => {
    const saved = dict(
      ...[
        text('state_dict'),
        dict(text('x'), tensor()),
        text('arch'),
        text('alexnet'),
        text('classes'),
        integer(5),
      ],
      ...[
        text('lr'),
        bytes('G\x3f\xe0\0\0\0\0\0\0'),
        text('best'),
        bytes('\x88'),
        text('names'),
        bytes(']', text('a'), 'a'),
      ],
      ...[text('optimizer'), dict(), text('none'), bytes('N')],
    )
    const { metadata } = await readTorchStream(bytesSource(stream(program(saved))))
    expect(metadata).toEqual({ arch: 'alexnet', lr: '0.5', best: 'true', names: '["a"]' })
  })
})

describe('what wrappers put before names', () => {
  const names = ['features.0.bias', 'classifier.6.bias']
  test.each([
    ['module.', ['module.features.0.bias', 'module.classifier.6.bias']],
    ['_orig_mod.', ['_orig_mod.features.0.bias', '_orig_mod.classifier.6.bias']],
    ['model.', ['model.features.0.bias', 'model.classifier.6.bias']],
    [
      'several',
      ['module._orig_mod.model.features.0.bias', 'module._orig_mod.model.classifier.6.bias'],
    ],
    ['the features alone', ['features.module.0.bias', 'classifier.6.bias']],
  ])('%s goes', async (_, given) => {
    expect(Object.keys((await read(given)).tensors)).toEqual(names)
  })

  test('stays where only some names have it', async () => {
    const given = ['module.features.0.bias', 'classifier.6.bias']
    expect(Object.keys((await read(given)).tensors)).toEqual(given)
  })

  test('may not make two names one', async () => {
    await expect(read(['features.0.bias', 'features.module.0.bias'])).rejects.toThrow(
      /"features\.0\.bias" twice/,
    )
  })
})

describe('what shares a storage', () => {
  test('is read once and shares memory; other strides are gathered', async () => {
    const views = dict(
      ...[text('whole'), tensor()],
      ...[text('same'), tensor()],
      ...[text('part'), tensor({ offset: integer(1), shape: tuple(integer(2)) })],
      ...[
        text('square'),
        tensor({ shape: tuple(integer(2), integer(2)), strides: tuple(integer(1), integer(2)) }),
      ],
      ...[
        text('twice'),
        tensor({ shape: tuple(integer(2), integer(3)), strides: tuple(integer(0), integer(1)) }),
      ],
      ...[
        text('window'),
        tensor({
          of: storage({ window: tuple(text('v'), integer(2), integer(2)) }),
          shape: tuple(integer(2)),
        }),
      ],
      ...[text('number'), tensor({ offset: integer(3), shape: bytes(')'), strides: bytes(')') })],
      ...[text('none'), tensor({ shape: tuple(integer(0)) })],
    )
    const { tensors } = await readTorchStream(bytesSource(stream(program(views))))
    const values = Object.fromEntries(
      Object.entries(tensors).map(([name, { data }]) => [name, [...data]]),
    )
    expect(values).toEqual({
      ...{ whole: [1, 2, 3, 4], same: [1, 2, 3, 4], part: [2, 3], square: [1, 3, 2, 4] },
      ...{ twice: [1, 2, 3, 1, 2, 3], window: [3, 4], number: [4], none: [] },
    })
    expect(tensors.part?.data.buffer).toBe(tensors.whole?.data.buffer)
  })
})
