import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { crossEntropy, relu } from '../../src/autograd/functions.ts'
import { UsageError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { describeOmission, type Recording } from '../../src/gpu/recording.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import type { Network } from '../../src/nn/network.ts'
import { SGD } from '../../src/optim/sgd.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import { applyScenario, type ScenarioOptions } from '../../src/transfer/scenario.ts'
import { sameBits } from '../support/bits.ts'
import { testEngine } from '../support/engine.ts'

let engine: Engine
beforeAll(async () => {
  engine = await testEngine()
})

const small = {
  variant: 'alexnet-64',
  channels: [8, 8, 8, 8, 8],
  hidden: 16,
  classes: 5,
  seed: 3,
} as const

interface Step {
  readonly recording: Recording | null
  /** Dispatches counted in WebGPU itself. */
  readonly launched: number
  readonly loss: number
  readonly state: Awaited<ReturnType<Network['stateDict']>>
}

/** One training step by SGD with momentum, on two noisy images. */
async function step(
  scenario: Partial<ScenarioOptions>,
  record: { readonly values?: boolean } | null,
): Promise<Step> {
  const model = await alexnet(engine, small)
  if (scenario.scenario) applyScenario(model, { classes: 3, ...scenario } as ScenarioOptions)
  const optimizer = new SGD(model.parameters(), { lr: 0.1, momentum: 0.9 })
  const pixels = new Float32Array(2 * 3 * 64 * 64)
  new Random(5).fillNormal(pixels, 0, 1)
  const x = engine.tensor(pixels, [2, 3, 64, 64])
  const prototype = Object.getPrototypeOf(
    engine.gpu.device.createCommandEncoder().beginComputePass(),
  ) as GPUComputePassEncoder
  const dispatch = prototype.dispatchWorkgroups
  let launched = 0
  prototype.dispatchWorkgroups = function (...grid) {
    launched++
    return dispatch.apply(this, grid)
  }
  try {
    const recorder = record && engine.record(record)
    const loss = crossEntropy(model.forward(x, { training: true }), Int32Array.of(0, 2))
    loss.backward()
    optimizer.step()
    optimizer.zeroGrad()
    const recording = recorder && (await recorder.finish())
    const [value = Number.NaN] = await loss.data()
    const result = { recording, launched, loss: value, state: await model.stateDict() }
    for (const one of [loss, x, optimizer, model]) one.dispose()
    return result
  } finally {
    prototype.dispatchWorkgroups = dispatch
  }
}

async function recorded(scenario: Partial<ScenarioOptions>, values = false): Promise<Recording> {
  const { recording } = await step(scenario, { values })
  if (!recording) throw new Error('nothing was recorded')
  return recording
}

afterEach(() => expect(engine.gpu.recorder).toBeNull())

describe('a training step', () => {
  test('records every dispatch once, in order, and nothing else', async () => {
    const { recording, launched } = await step({}, {})
    expect(recording?.dispatches.length).toBe(launched)
    expect(recording?.dispatches.map(({ index }) => index)).toEqual(
      Array.from({ length: launched }, (_, i) => i),
    )
    const { dispatches = [], calls = [] } = recording ?? {}
    // Two calls launch nothing: the kernel of the loss also computes its gradient, and a
    // convolution or dense layer also applies the ReLU that follows.
    const elsewhere = ['crossEntropy backward', 'relu forward']
    for (const { first, end, operator, pass } of calls)
      if (elsewhere.includes(`${operator} ${pass}`)) expect(end).toBe(first)
      else expect(end).toBeGreaterThan(first)
    for (const [i, { first }] of calls.entries())
      expect(first).toBeGreaterThanOrEqual(calls[i - 1]?.end ?? 0)
    const layers = new Set(dispatches.map(({ layer }) => layer))
    for (const layer of ['features.0', 'features.1', 'features.2', 'classifier.0', 'classifier.6'])
      expect(layers).toContain(layer)
  })

  test('each dispatch gives its kernel, its buffers and its cost', async () => {
    const { dispatches } = await recorded({})
    for (const one of dispatches) {
      expect(one.kernel).toMatch(/^[a-z_0-9]+\/[a-z_0-9]+\.wgsl$/)
      expect(one.source.code).toContain('@compute')
      expect(one.source.code).not.toMatch(/^\s*#/m)
      expect(one.bindings.length).toBeGreaterThan(0)
      expect(one.bindings.some(({ writable }) => writable)).toBe(true)
      for (const { bytes, shape } of one.bindings)
        if (shape) expect(4 * shape.reduce((a, b) => a * b, 1)).toBeLessThanOrEqual(bytes)
      expect(one.threads).toBe([...one.workgroup, ...one.workgroups].reduce((a, b) => a * b, 1))
      expect(one.idle).toBeGreaterThanOrEqual(0)
      expect(one.idle).toBeLessThan(one.threads)
      expect(one.cost?.bytes).toBeGreaterThan(0)
      expect(one.compileMilliseconds).toBeGreaterThan(0)
    }
    const reluBackward = dispatches.find(
      ({ operator, layer }) => operator === 'relu' && layer === 'features.1',
    )
    const strip = reluBackward?.overrides.STRIP ?? expect.fail('ReLU is a kernel of strips')
    expect(reluBackward).toMatchObject({
      pass: 'input gradient',
      kernel: 'relu/backward.wgsl',
      entryPoint: 'main',
      overrides: { WG: 256 },
      params: { n: (2 * 8 * 32 * 32) / 4 },
      workgroup: [256, 1, 1],
      workgroups: [Math.ceil(16 / strip), 1, 1],
      idle: 0,
      cost: { flops: 16_384, bytes: 12 * 16_384 },
    })
    expect(reluBackward?.bindings).toMatchObject([
      { name: 'y', binding: 0, writable: false, shape: [2, 8, 32, 32] },
      { name: 'dy', binding: 1, writable: false, shape: [2, 8, 32, 32] },
      { name: 'dx', binding: 2, writable: true, shape: [2, 8, 32, 32] },
    ])
  })

  test('a dispatch of backward is named after the gradient it contributes to', async () => {
    const { dispatches } = await recorded({})
    const passes = (layer: string) =>
      new Set(dispatches.filter((one) => one.layer === layer).map(({ pass }) => pass))
    expect(passes('features.3')).toEqual(
      new Set(['forward', 'input gradient', 'weight gradient', 'bias gradient']),
    )
    // images need no gradient
    expect(passes('features.0')).toEqual(new Set(['forward', 'weight gradient', 'bias gradient']))
    expect(passes('features.3.weight')).toEqual(new Set(['step']))
    expect(dispatches.every(({ pass }) => pass !== null && pass !== 'backward')).toBe(true)
  })

  test('the FLOPs of a convolution are those of its operator', async () => {
    const { dispatches } = await recorded({})
    const of = (pass: string) =>
      dispatches
        .filter((one) => one.layer === 'features.3' && one.pass === pass)
        .reduce((sum, one) => sum + (one.cost?.flops ?? 0), 0)
    const flops = 2 * 2 * 8 * 15 * 15 * 8 * 25
    expect(of('forward')).toBe(flops)
    expect(of('input gradient')).toBe(flops)
    // Splitting the sum adds the additions of its parts.
    expect(of('weight gradient')).toBeGreaterThanOrEqual(flops)
    expect(of('weight gradient')).toBeLessThan(1.1 * flops)
  })

  test('dispatches begin one after the other, where the adapter has timestamps', async () => {
    const { dispatches, milliseconds } = await recorded({})
    if (!engine.info.features.includes('timestamp-query')) {
      expect(milliseconds).toBeNull()
      return
    }
    for (const [i, { begin, milliseconds: time }] of dispatches.entries()) {
      expect(time).toBeGreaterThanOrEqual(0)
      expect(begin).toBeGreaterThanOrEqual(dispatches[i - 1]?.begin ?? 0)
    }
    expect(milliseconds).toBeCloseTo(
      dispatches.reduce((sum, one) => sum + (one.milliseconds ?? 0), 0),
      6,
    )
  })

  test('times are not rounded to 65,536 ns, as Dawn does by default', async () => {
    const { dispatches, milliseconds } = await recorded({})
    if (milliseconds === null) return
    expect(
      dispatches.some(({ milliseconds: time }) => Math.round(1e6 * (time ?? 0)) % 65_536 !== 0),
    ).toBe(true)
  })

  test('computes the same bits as without a recording', async () => {
    const plain = await step({}, null)
    const { loss, state } = await step({}, { values: true })
    expect(loss).toBe(plain.loss)
    for (const [name, { data }] of Object.entries(plain.state))
      expect(sameBits(data, state[name]?.data)).toBe(true)
  })

  test('is recorded completely across several submits', async () => {
    const recorder = engine.record()
    const x = engine.tensor(Float32Array.of(-1, 2), [2])
    for (let i = 0; i < 1030; i++) relu(x).dispose() // the params ring has 1,024 slots
    const { dispatches } = await recorder.finish()
    expect(dispatches.length).toBe(1030)
    if (engine.info.features.includes('timestamp-query'))
      expect(dispatches.every(({ milliseconds }) => milliseconds !== null)).toBe(true)
    x.dispose()
  })
})

describe('what did not run, and why', () => {
  test('frozen parameters', async () => {
    const { omissions, dispatches } = await recorded({ scenario: 'small-similar' })
    const lines = omissions.map(describeOmission)
    expect(lines).toContain('features.0 weight gradient: not dispatched, the parameter is frozen')
    expect(lines).toContain(
      'features.3 input gradient: not dispatched, nothing before this layer trains',
    )
    expect(lines).toContain('features.0.weight step: not dispatched, the parameter is frozen')
    expect(lines).toContain('flatten flatten: not dispatched, its result is the same memory')
    expect(lines).toContain(
      'features.1 forward: not dispatched, the launch before it has stored max(x, 0)',
    )
    expect(lines.some((line) => line.startsWith('classifier.6 weight'))).toBe(false)
    // What is reported as omitted did not run.
    const ran = new Set(dispatches.map(({ layer, pass }) => `${layer} ${pass}`))
    for (const { layer, what } of omissions) expect(ran).not.toContain(`${layer} ${what}`)
  })

  test('a pass without gradients', async () => {
    const model = await alexnet(engine, small)
    const x = engine.tensor(new Float32Array(3 * 64 * 64), [1, 3, 64, 64])
    const recorder = engine.record()
    const y = engine.noGrad(() => model.forward(x))
    const { omissions } = await recorder.finish()
    expect(omissions.map(describeOmission)).toContain(
      'features.0 weight gradient: not dispatched, gradients are off',
    )
    for (const one of [x, y, model]) one.dispose()
  })
})

test('kept values are those of the tensors', async () => {
  const { calls } = await recorded({}, true)
  const forward = (layer: string) =>
    calls.find((call) => call.layer === layer && call.pass === 'forward')
  const [conv1, relu1, pool1] = ['features.0', 'features.1', 'features.2'].map(forward)
  expect(conv1?.attrs).toMatchObject({ relu: true })
  expect(conv1?.tensors.y?.shape).toEqual([2, 8, 32, 32])
  expect(conv1?.tensors.y?.values?.some((value) => value > 0)).toBe(true)
  expect(conv1?.tensors.y?.values?.some((value) => value < 0)).toBe(false)
  for (const same of [relu1?.tensors.y, pool1?.tensors.x])
    expect(same?.values).toEqual(conv1?.tensors.y?.values)
  const step = calls.find(({ pass, layer }) => pass === 'step' && layer === 'features.0.weight')
  expect(step?.operator).toBe('SGD')
  // one call for each gradient
  const conv = calls.filter(({ pass, layer }) => pass === 'backward' && layer === 'features.0')
  expect(conv.map(({ tensors }) => Object.keys(tensors).sort())).toEqual([
    ['dbias', 'dy'],
    ['dweight', 'dy'],
  ])
  const without = await recorded({})
  expect(
    without.calls.every(({ tensors }) =>
      Object.values(tensors).every(({ values }) => values === null),
    ),
  ).toBe(true)
})

test('only one recording at a time, and no timing during it', async () => {
  const recorder = engine.record()
  expect(() => engine.record()).toThrow(UsageError)
  await expect(engine.gpu.time(() => {})).rejects.toThrow(/a recording is under way/)
  await recorder.finish()
})
