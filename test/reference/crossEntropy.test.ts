import { describe, expect, test } from 'vitest'
import { gradcheck } from '../../src/reference/gradcheck.ts'
import * as reference from '../../src/reference/index.ts'
import { gaussian } from '../../src/reference/random.ts'
import { expectClose } from '../support/compare.ts'
import { int32Of, loadCase, ORACLE_TOLERANCE, oracleCases, tensorOf } from '../support/oracle.ts'

const relative = ORACLE_TOLERANCE.operator

describe('crossEntropy', () => {
  test.each(oracleCases('crossentropy'))('PyTorch: $name', (one) => {
    const t = loadCase(one)
    const { shape, data } = tensorOf(t, 'logits')
    const logits = reference.ndArray(data, shape)
    const targets = int32Of(t, 'target')
    const loss = tensorOf(t, 'loss')
    expectClose(reference.crossEntropy(logits, targets, one.attrs).data, loss.data, loss.shape, {
      relative,
      name: 'loss',
    })
    const dloss =
      'dloss' in t
        ? reference.ndArray(tensorOf(t, 'dloss').data, loss.shape)
        : reference.ndArray([1], [1])
    const dlogits = reference.crossEntropyBackward(logits, targets, dloss, one.attrs)
    expectClose(dlogits.data, tensorOf(t, 'dlogits').data, shape, { relative, name: 'dlogits' })
  })

  test.each(['mean', 'sum', 'none'] as const)('finite differences: %s', (reduction) => {
    const logits = gaussian([4, 5], 1)
    const targets = Int32Array.of(0, 4, 2, 2)
    for (const labelSmoothing of [0, 0.3]) {
      const options = { labelSmoothing, reduction }
      const dloss = gaussian(reduction === 'none' ? [4] : [1], 2)
      const dlogits = reference.crossEntropyBackward(logits, targets, dloss, options)
      gradcheck(
        'dlogits',
        (v) => reference.crossEntropy(v, targets, options),
        logits,
        dloss,
        dlogits,
      )
    }
  })

  test('a target outside the classes is an error', () => {
    expect(() => reference.crossEntropy(gaussian([1, 3], 1), Int32Array.of(3))).toThrow(RangeError)
  })
})
