import { expect, test } from 'vitest'
import { flatten } from '../../src/autograd/functions.ts'
import { testEngine } from '../support/engine.ts'

test.each<[number[], number[]]>([
  [
    [2, 3, 4],
    [2, 12],
  ],
  [
    [2, 1, 1, 5],
    [2, 5],
  ],
  [
    [3, 4],
    [3, 4],
  ],
  [[6], [6, 1]],
])(
  '%j becomes %j, without a copy, and its gradient comes back in the first shape',
  async (shape, flat) => {
    const engine = await testEngine()
    const before = engine.memory()
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i)
    const x = engine.tensor(values, shape, { requiresGrad: true })
    const y = flatten(x)
    expect([...y.shape]).toEqual(flat)
    expect(y.buffer.storage).toBe(x.buffer.storage)
    const dy = engine.tensor(values, flat)
    y.backward(dy)
    y.dispose()
    dy.dispose()
    expect([...(x.grad?.shape ?? [])]).toEqual(shape)
    expect(await x.grad?.data()).toEqual(values)
    expect(await x.data()).toEqual(values)
    x.dispose()
    expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
  },
)
