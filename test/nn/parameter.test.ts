import { describe, expect, test } from 'vitest'
import { relu } from '../../src/autograd/functions.ts'
import { AutogradError, ShapeError, UsageError } from '../../src/base/errors.ts'
import { Parameter, type ParameterOptions } from '../../src/nn/parameter.ts'
import { testEngine } from '../support/engine.ts'

const engine = await testEngine()
const vector = (...values: number[]) => engine.tensor(Float32Array.from(values), [values.length])

describe('Parameter', () => {
  test('wraps its tensor without a copy, and its flag is the tensor’s', () => {
    const tensor = vector(1, 2)
    const parameter = new Parameter('features.0.bias', tensor)
    expect(parameter.tensor).toBe(tensor)
    expect([parameter.name, parameter.shape, parameter.trainable, tensor.requiresGrad]).toEqual([
      'features.0.bias',
      [2],
      true,
      true,
    ])
    parameter.trainable = false
    expect(tensor.requiresGrad).toBe(false)
    tensor.requiresGrad = true
    expect(parameter.trainable).toBe(true)
    expect(new Parameter('frozen', tensor, { trainable: false }).trainable).toBe(false)
    parameter.dispose()
  })

  test('freezing lets the gradient go, and no other arrives', () => {
    const before = engine.memory()
    const parameter = new Parameter('p', vector(1, -2, 3))
    const dy = vector(1, 1, 1)
    const step = () => {
      const y = relu(parameter.tensor)
      try {
        y.backward(dy)
      } finally {
        y.dispose()
      }
    }
    step()
    expect(parameter.grad).toBe(parameter.tensor.grad)
    expect(engine.memory().buffers).toBe(before.buffers + 3)
    parameter.trainable = false
    expect(parameter.grad).toBeNull()
    expect(engine.memory().buffers).toBe(before.buffers + 2)
    expect(step).toThrow(AutogradError)
    parameter.trainable = true
    step()
    expect(parameter.grad).not.toBeNull()
    parameter.dispose()
    dy.dispose()
    expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
  })

  test('flags set between forward and backward hold for that backward', async () => {
    const [a, b] = [new Parameter('a', vector(1)), new Parameter('b', vector(2))]
    const [ya, yb] = [relu(a.tensor), relu(b.tensor)]
    a.trainable = false
    const dy = vector(5)
    ya.backward(dy)
    yb.backward(dy)
    expect(a.grad).toBeNull()
    expect(await b.grad?.data()).toEqual(Float32Array.of(5))
    for (const tensor of [ya, yb, dy, a, b]) tensor.dispose()
  })

  test('deferred values are made once, when they are first read', async () => {
    let made = 0
    const parameter = Parameter.deferred('p', [2], () => {
      made++
      return vector(3, 4)
    })
    parameter.trainable = false
    expect([made, parameter.shape, parameter.grad]).toEqual([0, [2], null])
    expect(await parameter.tensor.data()).toEqual(Float32Array.of(3, 4))
    expect([made, parameter.tensor, parameter.trainable, parameter.tensor.requiresGrad]).toEqual([
      1,
      parameter.tensor,
      false,
      false,
    ])
    parameter.dispose()
  })

  test('assigned values take the place of deferred and of present ones, in the same tensor', async () => {
    const parameter = Parameter.deferred('p', [2], () => expect.unreachable())
    parameter.assign(engine, Float32Array.of(5, 6))
    const { tensor } = parameter
    expect(await tensor.data()).toEqual(Float32Array.of(5, 6))
    const y = relu(tensor)
    parameter.assign(engine, Float32Array.of(7, 8))
    expect(parameter.tensor).toBe(tensor)
    expect(await engine.read([y, tensor])).toEqual([Float32Array.of(5, 6), Float32Array.of(7, 8)])
    expect(() => parameter.assign(engine, new Float32Array(3))).toThrow(
      new ShapeError('parameter p of shape [2] takes 2 values, not 3'),
    )
    y.dispose()
    parameter.dispose()
  })

  test('misuse', () => {
    expect(() => new Parameter('p', vector(1), { frozen: true } as ParameterOptions)).toThrow(
      new UsageError('parameter p: there is no option frozen; it takes trainable'),
    )
    const wrong = Parameter.deferred('p', [3], () => vector(1, 2))
    expect(() => wrong.tensor).toThrow(ShapeError)
    const gone = Parameter.deferred('p', [1], () => vector(1))
    gone.dispose()
    expect(() => gone.tensor).toThrow(AutogradError)
    const freed = new Parameter('p', vector(1))
    freed.dispose()
    freed.dispose()
    expect(() => freed.tensor.buffer).toThrow(AutogradError)
  })
})
