import { describe, expect, test } from 'vitest'
import { gradcheck } from '../../src/reference/gradcheck.ts'
import * as reference from '../../src/reference/index.ts'
import { gaussian } from '../../src/reference/random.ts'
import { expectClose } from '../support/compare.ts'
import {
  loadCase,
  ORACLE_TOLERANCE,
  type OracleTensors,
  oracleCases,
  tensorOf,
} from '../support/oracle.ts'

const relative = ORACLE_TOLERANCE.operator

const input = (tensors: OracleTensors, name: string): reference.NdArray => {
  const { shape, data } = tensorOf(tensors, name)
  return reference.ndArray(data, shape)
}

const check = (tensors: OracleTensors, name: string, actual: reference.NdArray): void => {
  const { shape, data } = tensorOf(tensors, name)
  expectClose(actual.data, data, shape, { relative, name })
}

describe('conv2d', () => {
  test.each(oracleCases('conv2d'))('PyTorch: $name', (one) => {
    const t = loadCase(one)
    const [x, weight, dy] = [input(t, 'x'), input(t, 'weight'), input(t, 'dy')]
    check(t, 'y', reference.conv2d(x, weight, 'bias' in t ? input(t, 'bias') : null, one.attrs))
    const { dx, dweight, dbias } = reference.conv2dBackward(x, weight, dy, one.attrs)
    check(t, 'dx', dx)
    check(t, 'dweight', dweight)
    if ('dbias' in t) check(t, 'dbias', dbias)
  })

  test.each([
    { stride: 1, padding: 0, groups: 1 },
    { stride: 2, padding: 1, groups: 1 },
    { stride: 3, padding: 2, groups: 2 },
  ])('finite differences: stride $stride, padding $padding, groups $groups', (options) => {
    const x = gaussian([2, 4, 5, 6], 1)
    const weight = gaussian([4, 4 / options.groups, 3, 2], 2)
    const bias = gaussian([4], 3)
    const dy = gaussian(reference.conv2d(x, weight, bias, options).shape, 4)
    const { dx, dweight, dbias } = reference.conv2dBackward(x, weight, dy, options)
    gradcheck('dx', (v) => reference.conv2d(v, weight, bias, options), x, dy, dx)
    gradcheck('dweight', (v) => reference.conv2d(x, v, bias, options), weight, dy, dweight)
    gradcheck('dbias', (v) => reference.conv2d(x, weight, v, options), bias, dy, dbias)
  })

  test('a weight that does not fit is an error', () => {
    expect(() =>
      reference.conv2d(gaussian([1, 3, 4, 4], 1), gaussian([2, 2, 3, 3], 2), null),
    ).toThrow(RangeError)
  })
})

describe('linear', () => {
  test.each(oracleCases('linear'))('PyTorch: $name', (one) => {
    const t = loadCase(one)
    const [x, weight] = [input(t, 'x'), input(t, 'weight')]
    check(t, 'y', reference.linear(x, weight, input(t, 'bias')))
    const { dx, dweight, dbias } = reference.linearBackward(x, weight, input(t, 'dy'))
    check(t, 'dx', dx)
    check(t, 'dweight', dweight)
    check(t, 'dbias', dbias)
  })

  test('finite differences', () => {
    const [x, weight, bias, dy] = [
      gaussian([3, 5], 1),
      gaussian([4, 5], 2),
      gaussian([4], 3),
      gaussian([3, 4], 4),
    ]
    const { dx, dweight, dbias } = reference.linearBackward(x, weight, dy)
    gradcheck('dx', (v) => reference.linear(v, weight, bias), x, dy, dx)
    gradcheck('dweight', (v) => reference.linear(x, v, null), weight, dy, dweight)
    gradcheck('dbias', (v) => reference.linear(x, weight, v), bias, dy, dbias)
  })
})
