import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { linear, relu } from '../../src/autograd/functions.ts'
import { DeviceLostError, KernelError } from '../../src/base/errors.ts'
import { createEngineOn } from '../../src/createEngine.ts'
import { stripKernel } from '../../src/gpu/kernels/kernel.ts'
import type { AdapterChoice, Host } from '../../src/host/host.ts'
import { nodeHost } from '../../src/nodeHost.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import { testEngine } from '../support/engine.ts'

const adapter = (process.env.GRAFT_ADAPTER ?? 'auto') as AdapterChoice

/** Node's host with some shaders changed. */
function hostWith(shaders: Readonly<Record<string, (text: string) => string>>): Host {
  return {
    ...nodeHost,
    readShaders: async () => {
      const files = new Map(await nodeHost.readShaders())
      for (const [path, change] of Object.entries(shaders))
        files.set(path, change(files.get(path) ?? ''))
      return files
    },
  }
}

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => error,
  )

describe('the check whether a workgroup is one subgroup', () => {
  const product = async (engine: Engine) => {
    const x = engine.tensor(Float32Array.of(1, 2), [1, 2])
    const w = engine.tensor(Float32Array.of(3, 4, 5, 6), [2, 2])
    return [...(await linear(x, w, null).data())]
  }

  test.each<[string, (text: string) => string]>([
    ['lanes out of order', (text) => text.replace('out[i + 1u] = lane', 'out[i + 1u] = lane ^ 1u')],
    ['a subgroup of another size', (text) => text.replace('out[i] = size', 'out[i] = size * 2u')],
  ])('runs at the start: with %s, sums are staged in shared memory instead', async (_, change) => {
    const engine = await createEngineOn(hostWith({ 'lib/subgroup_check.wgsl': change }), {
      adapter,
    })
    const { tilings } = engine.gpu
    const problem = {
      planes: 1,
      rows: 4,
      columns: 4,
      depth: 4,
      interleaved: 'none',
      mostSplits: 1,
    } as const
    expect([engine.info.subgroup, tilings?.lanes, tilings?.select(problem).kernel]).toEqual([
      null,
      null,
      'block',
    ])
    expect(await product(engine)).toEqual([11, 17])
    engine.dispose()
  })

  test('both kinds of kernels compute the same product', async () => {
    for (const kernels of ['auto', 'plain'] as const)
      expect(await product(await testEngine(kernels))).toEqual([11, 17])
  })
})

describe('reading back', () => {
  test('throws DeviceLostError when the engine is disposed meanwhile', async () => {
    const engine = await createEngineOn(nodeHost, { adapter })
    const reading = relu(engine.tensor(new Float32Array(1000), [1000])).data()
    engine.dispose()
    expect(await caught(reading)).toBeInstanceOf(DeviceLostError)
  })

  test('throws DeviceLostError when the device is lost after the submit', async () => {
    const engine = await createEngineOn(nodeHost, { adapter })
    const reading = relu(engine.tensor(new Float32Array(1000), [1000])).data()
    engine.gpu.device.destroy()
    expect(await caught(reading)).toBeInstanceOf(DeviceLostError)
    engine.dispose()
  })

  test('twice at a time: both calls throw that a kernel did not compile', async () => {
    const engine = await createEngineOn(hostWith({ 'relu/forward.wgsl': (text) => `${text}\n!` }), {
      adapter,
    })
    const y = relu(engine.tensor(Float32Array.of(1), [1]))
    const errors = await Promise.all([caught(y.data()), caught(y.data())])
    for (const error of errors) expect(error).toBeInstanceOf(KernelError)
    engine.dispose()
  })

  test('works for many tensors of different sizes, some of them twice', async () => {
    const engine = await testEngine()
    const tensors = [1, 63, 64, 65, 1000, 1, 5000].map((n, i) =>
      engine.tensor(new Float32Array(n).fill(i), [n]),
    )
    for (let round = 0; round < 3; round++) {
      const data = await engine.read([...tensors, ...tensors])
      for (const [i, values] of data.entries()) {
        const of = i % tensors.length
        expect(values.length).toBe(tensors[of]?.size)
        expect(values.every((value) => value === of)).toBe(true)
      }
    }
    for (const tensor of tensors) tensor.dispose()
  })

  test('allows disposing the tensor, and reusing its buffer, meanwhile', async () => {
    const engine = await testEngine()
    const x = engine.tensor(Float32Array.of(1, 2, 3), [3])
    const reading = x.data()
    x.dispose()
    const z = engine.tensor(Float32Array.of(7, 8, 9), [3])
    expect([...(await reading)]).toEqual([1, 2, 3])
    expect([...(await z.data())]).toEqual([7, 8, 9])
    z.dispose()
  })
})

describe('the pool', () => {
  test('trim destroys free buffers, after submitting the work that reads them', async () => {
    const engine = await createEngineOn(nodeHost, { adapter })
    const x = engine.tensor(new Float32Array(3000).fill(-1), [3000])
    const h = relu(x)
    const y = relu(h)
    h.dispose() // free, but read by work that is not submitted
    const before = engine.memory()
    engine.gpu.trim()
    expect(engine.memory()).toEqual(before)
    expect((await y.data()).every((value) => value === 0)).toBe(true)
    const again = relu(y) // in a new buffer: the free one is gone
    expect(engine.memory().peakBytes).toBe(before.peakBytes)
    expect((await again.data()).every((value) => value === 0)).toBe(true)
    engine.dispose()
  })

  test('takes any number of bytes', async () => {
    const { gpu } = await testEngine()
    for (const n of [0, 1, 3, 5, 256, 257]) {
      const bytes = Uint8Array.from({ length: n }, (_, i) => i + 1)
      const storage = gpu.upload(bytes)
      const [copy] = await gpu.read([{ storage, bytes: n }])
      expect(new Uint8Array(copy ?? new ArrayBuffer(1))).toEqual(bytes)
      storage.release()
    }
  })

  test('a step that allocates the same sizes gets the same buffers', async () => {
    const engine = await testEngine()
    const step = () => {
      const x = engine.tensor(new Float32Array(7777), [7777])
      const [h, y] = [relu(x), relu(x)]
      const ids = [x, h, y].map((tensor) => tensor.buffer.storage.id)
      for (const tensor of [y, h, x]) tensor.dispose()
      engine.gpu.submit()
      return ids
    }
    step() // uses what other work left behind, and creates the rest
    const second = step()
    expect([step(), step()]).toEqual([second, second])
  })

  test('an upload gets a buffer that no pending work uses', async () => {
    const engine = await testEngine()
    const x = engine.tensor(new Float32Array(5555).fill(-1), [5555])
    const y = relu(x)
    x.dispose()
    const before = engine.gpu.submits
    const z = engine.tensor(new Float32Array(5555).fill(2), [5555])
    expect(engine.gpu.submits).toBe(before)
    const [a, b] = await engine.read([y, z])
    expect([a?.every((value) => value === 0), b?.every((value) => value === 2)]).toEqual([
      true,
      true,
    ])
    for (const tensor of [y, z]) tensor.dispose()
  })

  test('a storage cannot be released twice', async () => {
    const { gpu } = await testEngine()
    const storage = gpu.allocate(4)
    storage.retain().release()
    storage.release()
    expect(() => storage.release()).toThrow(/released twice/)
  })
})

describe('a launch', () => {
  test('with too large a grid fails with its kernel and layer, and the next one runs', async () => {
    const engine = await testEngine()
    const x = engine.tensor(Float32Array.of(-1), [1])
    const wide = { ...stripKernel('relu/forward'), grid: () => [65_536, 1, 1] as const }
    engine.gpu.layer = 'features.9'
    const bindings = { x: x.buffer.storage, y: x.buffer.storage }
    expect(() => engine.gpu.run(wide, bindings, { n: 1 })).toThrow(
      /^kernel relu\/forward \(layer features\.9\): a grid of 65536 x 1 x 1/,
    )
    engine.gpu.layer = null
    const y = relu(x)
    expect([...(await y.data())]).toEqual([0])
    for (const tensor of [x, y]) tensor.dispose()
  })

  test('works after a prepare whose body threw', async () => {
    const engine = await testEngine()
    const fails = engine.gpu.prepare(() => {
      throw new Error('in the body')
    })
    await expect(fails).rejects.toThrow('in the body')
    const x = engine.tensor(Float32Array.of(-1, 2), [2])
    const y = relu(x)
    expect([...(await y.data())]).toEqual([0, 2])
    for (const tensor of [x, y]) tensor.dispose()
  })
})

test('a process whose engine failed to open ends by itself', async () => {
  const failing = fileURLToPath(new URL('./failing.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', failing, adapter],
    { timeout: 60_000 },
  )
  expect(stdout).toMatch(/^kernel lib\/subgroup_check: does not compile/)
})
