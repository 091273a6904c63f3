import { describe, expect, test } from 'vitest'
import { findNames } from '../../src/weights/names.ts'

const own = ['features.0.weight', 'features.0.bias', 'features.10.bias', 'classifier.6.weight']
const behind = (prefix: string, names: readonly string[] = own) =>
  names.map((name) => `${prefix}${name}`)
const found = (names: readonly string[], prefix?: string) => {
  const { names: inside, ignored, remarks } = findNames(names, prefix)
  return { own: [...inside.values()], ignored, remarks }
}

describe('the prefix is what stands before features.0.weight', () => {
  test.each([
    '',
    'module.',
    'model.',
    'backbone.',
    'net.module.encoder.',
    '_orig_mod.',
    'module._orig_mod.model.',
    'features.',
    'alexnet_',
    'ema.module.',
    'constructor.',
    'a b.ü.',
  ])('%j', (prefix) => {
    expect(found(behind(prefix))).toEqual({ own, ignored: [], remarks: [] })
    expect(found(behind(prefix), prefix).own).toEqual(own)
  })

  test.each([
    ['of a loss', 'model.', ['criterion.weight']],
    ['of an average', 'module.', ['n_averaged']],
    ['of metrics', 'net.', ['metric.num_batches', 'loss_fn.weight']],
    [
      'that look like AlexNet’s',
      'encoder.',
      ['classifier.6.weight', 'features.bias', 'encoder2.x'],
    ],
  ])('names outside of it are ignored and listed: %s', (_, prefix, extra) => {
    const { remarks, ...rest } = found([...extra, ...behind(prefix)])
    expect(rest).toEqual({ own, ignored: extra })
    expect(remarks).toEqual([expect.stringContaining(`"${extra[0]}"`)])
  })

  test('wrappers within the layers’ names go too, and may not make two names one', () => {
    const wrapped = [
      'features.module.0.weight',
      'features._orig_mod.0.bias',
      'features.10._checkpoint_wrapped_module.bias',
      'classifier.6._fsdp_wrapped_module.weight',
    ]
    expect(found(wrapped).own).toEqual(own)
    expect(found(behind('model.', wrapped)).own).toEqual(own)
    expect(() => found([...own, 'features.module.0.bias'])).toThrow(/"features\.0\.bias" twice/)
  })

  test('Caffe’s names have one as well; those of a ResNet are none', () => {
    const caffe = [1, 2, 3, 4, 5].map((number) => `conv${number}.weight`)
    expect(found([...behind('net.', caffe), 'loss.weight'])).toMatchObject({
      own: caffe,
      ignored: ['loss.weight'],
    })
    const resnet = ['conv1.weight', 'layer1.0.conv1.weight', 'layer1.0.conv2.weight']
    expect(found(resnet)).toEqual({ own: resnet, ignored: [], remarks: [] })
  })
})

describe('several prefixes', () => {
  test('are an error that names them', () => {
    expect(() => found([...behind('student.'), ...behind('teacher.')])).toThrow(
      /features\.0\.weight stands behind "student\.", "teacher\.", 2 copies: say which with weightsPrefix: 'student\.'/,
    )
    expect(() => found([...own, ...behind('aux.')])).toThrow(/behind "", "aux\."/)
  })

  test('an average goes first, and that is said', () => {
    const { own: names, ignored, remarks } = found([...behind('model.'), ...behind('model_ema.')])
    expect([names, ignored]).toEqual([own, behind('model.')])
    expect(remarks[0]).toMatch(/under "model_ema\.", an average .*, not "model\."/)
  })

  test.each([
    ['student.', 'teacher.'],
    ['teacher', 'student.'],
  ])('the caller says which: %s', (wanted, other) => {
    const both = [...behind('student.'), ...behind('teacher.')]
    expect(found(both, wanted)).toMatchObject({ own, ignored: behind(other) })
  })

  test('one that no name has is an error that names those there are', () => {
    expect(() => found(behind('model.'), 'net.')).toThrow(
      /no name begins with "net\."; features\.0\.weight stands behind "model\.": correct weightsPrefix/,
    )
  })
})
