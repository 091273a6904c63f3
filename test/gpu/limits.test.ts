import { afterAll, describe, expect, test } from 'vitest'
import { conv2d } from '../../src/autograd/functions.ts'
import { UsageError } from '../../src/base/errors.ts'
import { createEngineOn, type EngineOptions } from '../../src/createEngine.ts'
import type { AdapterChoice } from '../../src/host/host.ts'
import { nodeHost } from '../../src/nodeHost.ts'
import { gaussian } from '../../src/reference/random.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import { expectClose, sumTolerance } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'

const adapter = (process.env.GRAFT_ADAPTER ?? 'auto') as AdapterChoice

describe('with the limits that every browser grants', async () => {
  const engine = await createEngineOn(nodeHost, { adapter, limits: 'default' })
  afterAll(() => engine.dispose())

  test('a device has what the specification of WebGPU says, and no subgroups', () => {
    expect(engine.gpu.device.limits).toMatchObject({
      maxStorageBuffersPerShaderStage: 8,
      maxComputeWorkgroupStorageSize: 16_384,
      maxComputeInvocationsPerWorkgroup: 256,
      maxStorageBufferBindingSize: 2 ** 27,
      maxBufferSize: 2 ** 28,
    })
    expect(engine.info).toMatchObject({ subgroup: null })
    for (const feature of ['subgroups', 'subgroup-size-control', 'shader-f16', 'timestamp-query'])
      expect(engine.info.features).not.toContain(feature)
  })

  test('a convolution and its weight gradient are those of a device with all limits', async () => {
    const [here, elsewhere] = [await convolve(engine), await convolve(await testEngine())]
    for (const [name, terms] of [
      ['y', 27],
      ['dweight', 4 * 36],
    ] as const)
      expectClose(here[name], elsewhere[name], [here[name].length], {
        relative: 2 * sumTolerance(terms),
        absolute: 2 * sumTolerance(terms) * Math.sqrt(terms),
        name,
      })
  })
})

async function convolve(engine: Engine) {
  const draw = (shape: readonly number[], seed: number, requiresGrad: boolean) =>
    engine.tensor(Float32Array.from(gaussian(shape, seed).data), shape, { requiresGrad })
  const [x, weight] = [draw([4, 3, 6, 6], 1, false), draw([8, 3, 3, 3], 2, true)]
  const dy = draw([4, 8, 6, 6], 3, false)
  const y = conv2d(x, weight, null, { padding: 1 })
  const values = await y.data()
  y.backward(dy)
  const dweight = (await weight.grad?.data()) ?? expect.fail('the weight has a gradient')
  for (const tensor of [x, weight, dy, y]) tensor.dispose()
  return { y: values, dweight }
}

test('limits that do not exist are refused', async () => {
  const options = { adapter, limits: 'browser' } as unknown as EngineOptions
  await expect(createEngineOn(nodeHost, options)).rejects.toThrow(UsageError)
  await expect(createEngineOn(nodeHost, options)).rejects.toThrow(
    "limits is 'adapter' or 'default', not 'browser'",
  )
})
