import { describe, expect, test } from 'vitest'
import type { LoadOptions } from '../../../src/base/stateDict.ts'
import { readWeightsFile } from '../../../src/weights/formats.ts'
import { readTorchStream } from '../../../src/weights/pytorch/read.ts'
import { bytesSource } from '../../../src/weights/source.ts'
import { bytes, pickle, storage, stream, tensor } from '../hostile/build.ts'

const { text, integer, tuple, dict, program } = pickle

/** What is read from a checkpoint that holds this value. */
function readSaved(saved: Uint8Array, options: LoadOptions = {}) {
  const source = bytesSource(stream(program(saved)))
  const open = async () => source
  const opener = { open, beside: (_: unknown, name: string) => name, below: open }
  return readWeightsFile('it', 'it', opener, options)
}

const tensors = (...names: readonly string[]) =>
  dict(...names.flatMap((name) => [text(name), tensor()]))
const features = tensors('features.0.weight', 'features.0.bias')

/**
 * What is read from a checkpoint of these names, nested in dictionaries of these keys, the
 * outermost first.
 */
async function read(names: readonly string[], nests: readonly string[] = []) {
  return readSaved(
    [...nests]
      .reverse()
      .reduce((value, key) => dict(text(key), value, text('epoch'), integer(7)), tensors(...names)),
  )
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

describe('which of several dictionaries is taken', () => {
  const list = (...items: Uint8Array[]) => bytes(']', bytes('(', ...items, 'e'))
  const other = tensors('features.0.weight', 'features.3.weight')
  /** The first dictionary is the right one: it has a bias. */
  const cases: Record<string, readonly [saved: Uint8Array, remark: RegExp | null]> = {
    'the only one, under any name': [dict(text('my stuff'), features), null],
    'however deep, in lists and tuples too': [
      dict(text('a'), list(integer(1), tuple(dict(text('b'), features), integer(2)))),
      null,
    ],
    'in a list that is all there is': [list(features, integer(3)), null],
    'not an optimizer’s, which has more tensors': [
      dict(
        ...[text('weights'), features],
        ...[text('optimizer'), tensors('exp_avg', 'exp_avg_sq', 'step', 'max', 'momentum')],
      ),
      null,
    ],
    'one that stands there twice': [
      dict(text('net'), bytes(features, 'q\x07'), text('model'), bytes('h\x07')),
      null,
    ],
    'a state_dict by its name': [
      dict(text('teacher'), other, text('state_dict'), features),
      /those under "state_dict", not "teacher"/,
    ],
    'an average before the weights themselves': [
      dict(text('state_dict'), other, text('state_dict_ema'), features),
      /under "state_dict_ema", an average over the steps of training, not "state_dict"/,
    ],
    'an average below another name': [
      dict(text('model'), other, text('callbacks'), dict(text('modelEma'), features)),
      /under "callbacks\.modelEma", an average/,
    ],
    'an average beside parameters at the top': [
      dict(
        ...[text('features.0.weight'), tensor(), text('features.3.weight'), tensor()],
        ...[text('ema'), features],
      ),
      /under "ema", an average over the steps of training, not ""/,
    ],
  }
  test.each(Object.entries(cases))('%s', async (_, [saved, remark]) => {
    const file = await readSaved(saved)
    expect(Object.keys(file.tensors)).toEqual(['features.0.weight', 'features.0.bias'])
    expect(file.remarks?.join()).toEqual(
      remark === null ? undefined : expect.stringMatching(remark),
    )
  })

  const two = dict(
    ...[text('net'), dict(text('student'), features, text('a.b'), dict(text('c'), other))],
    ...[text('epoch'), integer(3)],
  )
  test('two that nothing tells apart are an error that names them', async () => {
    await expect(readSaved(two)).rejects.toThrow(
      /^it: tensors are under "net\.student", "net\.a\.b\.c", 2 copies: say which with weightsKey: 'net\.student'/,
    )
    await expect(readSaved(list(features, other))).rejects.toThrow(/under "0", "1", 2 copies/)
  })

  test.each<[string, string | RegExp]>([
    ['net.student', 'features.0.bias'],
    ['net.a.b.c', 'features.3.weight'],
    ['net.a.b', 'features.3.weight'],
    ['net', /2 copies/],
    ['', /2 copies/],
    ['net.teacher', /no dictionary under "net\.teacher"; tensors are under "net\.student", "net/],
    ['epoch', /no dictionary under "epoch"/],
  ])('the caller may say it: %j', async (weightsKey, wanted) => {
    const reading = readSaved(two, { weightsKey })
    if (wanted instanceof RegExp) await expect(reading).rejects.toThrow(wanted)
    else expect(Object.keys((await reading).tensors)[1]).toBe(wanted)
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
