import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { linear, relu } from '../../src/autograd/functions.ts'
import { DeviceLostError, GraftError, KernelError, ShapeError } from '../../src/base/errors.ts'
import { createEngineOn } from '../../src/createEngine.ts'
import { stripKernel } from '../../src/gpu/kernels/kernel.ts'
import type { AdapterChoice, Host } from '../../src/host/host.ts'
import { nodeHost } from '../../src/nodeHost.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import { testEngine } from '../support/engine.ts'

const adapter = (process.env.GRAFT_ADAPTER ?? 'auto') as AdapterChoice
const addKernel = stripKernel('add/forward')
const sumAlone = { RELU: 0 }

/** A new engine with one shader changed. */
async function engineWithShader(path: string, change: (text: string) => string): Promise<Engine> {
  const platform: Host = {
    ...nodeHost,
    readShaders: async () => {
      const files = new Map(await nodeHost.readShaders())
      files.set(path, change(files.get(path) ?? ''))
      return files
    },
  }
  return createEngineOn(platform, { adapter })
}

describe('memory', () => {
  test('released buffers are reused', async () => {
    const engine = await testEngine()
    const before = engine.memory()
    const first = engine.tensor(new Float32Array(1000), [1000])
    const { id } = first.buffer.storage
    expect(engine.memory()).toMatchObject({
      liveBytes: before.liveBytes + 4096,
      buffers: before.buffers + 1,
    })
    first.dispose()
    expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
    const second = engine.tensor(new Float32Array(1001), [1001])
    expect(second.buffer.storage.id).toBe(id)
    expect(engine.memory().peakBytes).toBeGreaterThanOrEqual(engine.memory().liveBytes)
    second.dispose()
  })

  test('a free buffer serves requests of half its size or more', async () => {
    const { gpu } = await testEngine()
    gpu.trim()
    const [large, larger] = [gpu.allocate(100_000), gpu.allocate(110_000)]
    for (const storage of [larger, large]) storage.release()
    const before = gpu.memory()
    const half = gpu.allocate(60_000)
    expect([half.id, half.bytes]).toEqual([large.id, 60_160]) // the best fit
    expect(gpu.memory()).toMatchObject({
      liveBytes: before.liveBytes + 60_160,
      peakBytes: before.peakBytes,
    })
    const small = gpu.allocate(40_000)
    expect([large.id, larger.id]).not.toContain(small.id)
    for (const storage of [half, small]) storage.release()
    expect(gpu.allocate(100_000).id).toBe(large.id)
    large.release()
  })

  test('uploads do not change the input of work that is not submitted yet', async () => {
    const engine = await testEngine()
    const x = engine.tensor(Float32Array.of(1, 2, 3), [3])
    const y = relu(x) // encoded, not submitted
    x.dispose()
    const z = engine.tensor(Float32Array.of(7, 8, 9), [3]) // may get x's buffer
    expect([...(await y.data())]).toEqual([1, 2, 3])
    const w = relu(z)
    engine.gpu.write(z.buffer.storage, Float32Array.of(0, 0, 0)) // w is computed first
    expect([...(await w.data())]).toEqual([7, 8, 9])
    expect([...(await z.data())]).toEqual([0, 0, 0])
    for (const tensor of [y, z, w]) tensor.dispose()
  })

  test('a launch that binds too much at once is refused with both sizes', async () => {
    const engine = await testEngine('auto', 16_384)
    const x = engine.tensor(new Float32Array(5000), [5000])
    expect(() => relu(x)).toThrow(ShapeError)
    expect(() => relu(x)).toThrow(
      'relu/forward: x takes 19.8 KiB, more than the 16.0 KiB this adapter binds at once; ' +
        'use a smaller batch or narrower layers',
    )
    x.dispose()
  })

  test('a tensor larger than a buffer can be is refused with both sizes', async () => {
    const { gpu } = await testEngine()
    expect(() => gpu.allocate(gpu.device.limits.maxBufferSize + 1)).toThrow(ShapeError)
    expect(() => gpu.allocate(2 ** 50)).toThrow(
      /a tensor of 1048576\.0 GiB is larger than the [\d.]+ [MG]iB that a buffer of this adapter/,
    )
  })

  test.each([0, 1000, 5000, 2 ** 60, Number.NaN])(
    'a binding of at most %d bytes is refused',
    async (maxBindingBytes) => {
      await expect(createEngineOn(nodeHost, { adapter, maxBindingBytes })).rejects.toThrow(
        /maxBindingBytes is a multiple of \d+ from 4096 to this adapter's \d+, not/,
      )
    },
  )
})

describe('launches', () => {
  test('wait for the next submit, which submits them all', async () => {
    const engine = await testEngine()
    const x = engine.tensor(Float32Array.of(-1, 1), [2])
    engine.gpu.submit()
    const before = engine.gpu.submits
    const chain = [x]
    for (let i = 0; i < 20; i++) chain.push(relu(chain.at(-1) ?? x))
    expect(engine.gpu.submits).toBe(before)
    const [a, b] = await engine.read([chain[5] ?? x, chain[20] ?? x])
    expect(engine.gpu.submits).toBe(before + 1)
    expect([[...(a ?? [])], [...(b ?? [])]]).toEqual([
      [0, 1],
      [0, 1],
    ])
    for (const tensor of chain) tensor.dispose()
  })

  test('can be more than the params ring holds', async () => {
    const engine = await testEngine()
    let sum = engine.tensor(Float32Array.of(0), [1])
    const one = engine.tensor(Float32Array.of(1), [1])
    for (let i = 0; i < 2500; i++) {
      const next = engine.tensor(new Float32Array(1), [1])
      engine.gpu.run(
        addKernel,
        { a: sum.buffer.storage, b: one.buffer.storage, y: next.buffer.storage },
        { n: 1 },
        sumAlone,
      )
      sum.dispose()
      sum = next
    }
    expect([...(await sum.data())]).toEqual([2500])
    for (const tensor of [sum, one]) tensor.dispose()
  })

  test('readLater gives the values at the time of the call', async () => {
    const engine = await testEngine()
    const x = engine.tensor(Float32Array.of(3), [1])
    const y = relu(x)
    const collect = engine.readLater([y])
    engine.gpu.run(
      addKernel,
      { a: x.buffer.storage, b: x.buffer.storage, y: y.buffer.storage },
      { n: 1 },
      sumAlone,
    )
    engine.gpu.submit()
    expect((await collect())[0]?.[0]).toBe(3)
    expect((await y.data())[0]).toBe(6)
    for (const tensor of [x, y]) tensor.dispose()
  })

  test('small values read later share one read-back, large ones have their own', async () => {
    const engine = await testEngine()
    const { gpu } = engine
    const prototype = Object.getPrototypeOf(
      gpu.device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ }),
    ) as GPUBuffer
    const map = vi.spyOn(prototype, 'mapAsync')
    try {
      const numbers = Array.from({ length: 100_000 }, (_, i) => i)
      const tensors = [[1, 2, 3], numbers, [4], [5, 6, 7, 8, 9]].map((values) =>
        engine.tensor(Float32Array.from(values), [values.length]),
      )
      const collects = tensors.map((tensor) => engine.readLater([tensor]))
      gpu.submit()
      const found = await Promise.all(collects.map((collect) => collect()))
      expect(found.map(([values]) => values?.length)).toEqual([3, 100_000, 1, 5])
      for (const [i, tensor] of tensors.entries())
        expect(found[i]?.[0]).toEqual(await tensor.data())
      expect(map.mock.calls.length).toBe(2 + tensors.length)
      for (const tensor of tensors) tensor.dispose()
    } finally {
      map.mockRestore()
    }
  })

  test('asking for values submits pending copies into the same page', async () => {
    const engine = await testEngine()
    const x = engine.tensor(Float32Array.of(3), [1])
    const first = engine.readLater([x])
    engine.gpu.submit()
    const y = relu(x)
    const second = engine.readLater([y])
    expect((await first())[0]?.[0]).toBe(3)
    expect((await second())[0]?.[0]).toBe(3)
    for (const tensor of [x, y]) tensor.dispose()
  })

  test('are checked against the names of bindings and params in the shader', async () => {
    const { gpu } = await testEngine()
    const [a, b, y] = [0, 0, 0].map(() => gpu.allocate(4))
    if (!a || !b || !y) return
    expect(() => gpu.run(addKernel, { a, b }, { n: 1 }, sumAlone)).toThrow(
      /add\/forward: nothing is bound to y/,
    )
    expect(() => gpu.run(addKernel, { a, b, y, z: y }, { n: 1 }, sumAlone)).toThrow(
      /bindings the shader does not have/,
    )
    expect(() => gpu.run(addKernel, { a, b, y }, { m: 1 }, sumAlone)).toThrow(
      /no value for the parameter n/,
    )
    expect(() => gpu.run(addKernel, { a, b, y }, { n: 1, m: 1 }, sumAlone)).toThrow(
      /no parameter m/,
    )
    expect(() => gpu.run({ ...addKernel, name: 'nothing/here' }, {}, {})).toThrow(GraftError)
    for (const storage of [a, b, y]) storage.release()
  })

  test('prepare compiles, and launches nothing', async () => {
    const engine = await createEngineOn(nodeHost, { adapter })
    const x = engine.tensor(Float32Array.of(-5), [1])
    const progress: number[][] = []
    await engine.gpu.prepare(
      () => relu(x).dispose(),
      (...done) => progress.push(done),
    )
    expect(progress).toEqual([[1, 1]])
    await engine.gpu.prepare(
      () => relu(x).dispose(),
      (...done) => progress.push(done),
    )
    expect(progress.length).toBe(1)
    expect([...(await relu(x).data())]).toEqual([0])
    engine.dispose()
  })
})

describe('errors of the device', () => {
  test('a kernel that does not compile is named with its file and line', async () => {
    const engine = await engineWithShader('relu/forward.wgsl', (text) =>
      text.replace('let v = x[i];', 'let v = nonsense;'),
    )
    engine.gpu.layer = 'features.1'
    const x = engine.tensor(Float32Array.of(1), [1])
    const error = await relu(x)
      .data()
      .catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(KernelError)
    expect((error as KernelError).message).toMatch(
      new RegExp(
        '^kernel relu/forward \\(layer features\\.1\\): does not compile: ' +
          'relu/forward\\.wgsl:19: .*nonsense',
      ),
    )
    // it was reported already
    await expect(engine.gpu.prepare(() => relu(x).dispose())).resolves.toBeUndefined()
    const other = await engineWithShader('relu/forward.wgsl', (text) => `${text}\n!`)
    await expect(
      other.gpu.prepare(() => void relu(other.tensor(Float32Array.of(1), [1]))),
    ).rejects.toThrow(/kernel relu\/forward: does not compile: relu\/forward\.wgsl/)
    for (const one of [engine, other]) one.dispose()
  })

  test('an invalid launch is reported with its kernel, and the engine goes on', async () => {
    // Too much workgroup memory passes the compiler and fails in validation.
    const engine = await engineWithShader('relu/forward.wgsl', (text) =>
      text
        .replace('@compute', 'var<workgroup> big: array<vec4f, 1000000>;\n@compute')
        .replace('let v = x[i];', 'let v = x[i] + big[i].x;'),
    )
    engine.gpu.layer = 'features.4'
    const x = engine.tensor(Float32Array.of(1), [1])
    const error = await relu(x)
      .data()
      .catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(KernelError)
    expect(error).toMatchObject({ kernel: 'relu/forward' })
    const { a } = { a: engine.tensor(Float32Array.of(2), [1]) }
    const w = engine.tensor(Float32Array.of(4), [1, 1])
    const y = linear(engine.tensor(Float32Array.of(2), [1, 1]), w, null)
    await engine.gpu.settle().catch(() => {})
    expect([...(await y.data())]).toEqual([8])
    a.dispose()
    engine.dispose()
  })

  test('a lost device is a typed error at the next await that says what to do', async () => {
    const engine = await createEngineOn(nodeHost, { adapter })
    const x = engine.tensor(Float32Array.of(1), [1])
    engine.gpu.device.destroy()
    const error = await relu(x)
      .data()
      .catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(DeviceLostError)
    expect((error as Error).message).toMatch(/device was lost.*create a new engine/)
    expect(() => relu(x)).toThrow(DeviceLostError)
    engine.dispose()
  })

  test('after dispose every call says so; disposing twice is allowed', async () => {
    const engine = await createEngineOn(nodeHost, { adapter })
    const x = engine.tensor(Float32Array.of(1), [1])
    engine.dispose()
    engine.dispose()
    expect(() => engine.tensor(Float32Array.of(1), [1])).toThrow(/the engine was disposed/)
    expect(() => relu(x)).toThrow(DeviceLostError)
  })
})

test('the shape and the number of values of a tensor must agree', async () => {
  const engine = await testEngine()
  expect(() => engine.tensor(new Float32Array(5), [2, 3])).toThrow(
    /shape \[2, 3\] has 6 values, but 5 were given/,
  )
  expect(() => engine.tensor(new Float32Array(0), [0])).toThrow(/extents are positive integers/)
  expect(() => engine.tensor(new Float32Array(1), [1.5])).toThrow(ShapeError)
})

test('engine.info describes the adapter', async () => {
  const { info } = await testEngine()
  expect(['hardware', 'lavapipe', 'swiftshader']).toContain(info.kind)
  expect(info.adapter.length).toBeGreaterThan(0)
  // On both CPU adapters a workgroup of the smallest subgroup size is one subgroup; the fast
  // kernels are mainly for them.
  if (info.kind !== 'hardware') expect(info.subgroup).toBe(info.kind === 'lavapipe' ? 8 : 4)
  expect((await testEngine('plain')).info.subgroup).toBe(null)
})

test('a process that disposed its engine ends by itself', async () => {
  const worker = fileURLToPath(new URL('../host/node/worker.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', worker, adapter],
    { timeout: 60_000 },
  )
  expect(stdout).toContain('"y":[0,2]')
})
