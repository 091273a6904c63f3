import { at } from '../../src/base/at.ts'
import { Adam, type Engine, Parameter, SGD } from '../../src/index.ts'
import { type NdArray, randomArray, sampleIndices, sizeOf } from '../arrays.ts'
import type { Case, Contestant, Contestants } from '../contest.ts'
import { deviceTime } from '../graft.ts'
import { competitorOf, type Tf, type TfBackend, timeOnTfjs } from '../peers/tfjs.ts'
import { lazy, type Peers } from './common.ts'

const lr = 1e-2
const rules = {
  SGD: {
    passes: 5,
    graft: (p: Parameter[]) => new SGD(p, { lr, momentum: 0.9 }),
    tfjs: (tf: Tf) => tf.train.momentum(lr, 0.9),
  },
  Adam: {
    passes: 7,
    graft: (p: Parameter[]) => new Adam(p, { lr }),
    tfjs: (tf: Tf) => tf.train.adam(lr),
  },
} as const

/**
 * One step of all parameters of a network, with given gradients. The result of the first step is
 * checked.
 */
export function optimizerCase(
  rule: keyof typeof rules,
  network: string,
  shapes: readonly (readonly number[])[],
  peers: Peers,
): Case {
  const { engine, tf, backends } = peers
  const count = shapes.reduce((sum, shape) => sum + sizeOf(shape), 0)
  const arrays = lazy(() =>
    shapes.map((shape, i) => ({ p: randomArray(shape, 2 * i), g: randomArray(shape, 2 * i + 1) })),
  )
  const contestants: Contestants = { graft: async () => onGraftStep(engine, rule, arrays()) }
  if (tf)
    for (const backend of backends(['webgpu', 'wasm'], 64 * count))
      contestants[competitorOf[backend]] = () => onTfjsStep(tf, backend, engine, rule, arrays())
  return {
    name: rule,
    pass: 'step',
    shape: `${network}, ${count} parameters`,
    family: 'memory',
    flops: rules[rule].passes * count,
    bytes: 4 * rules[rule].passes * count, // parameter and state read and written, gradient read
    expected: () =>
      sampleIndices(sizeOf(at(shapes, 0))).map((index) => {
        const first = at(arrays(), 0)
        const [p, g] = [at(first.p.data, index), at(first.g.data, index)]
        // Adam's first step is lr in the direction of the gradient (Kingma and Ba 2015); eps is
        // 1e-8 here and 1e-7 in tfjs.
        const value = rule === 'SGD' ? p - lr * g : p - (lr * g) / (Math.abs(g) + 1e-8)
        return { index, value, tolerance: 2e-5 * Math.max(Math.abs(value), 1) }
      }),
    contestants,
  }
}

type Given = readonly { readonly p: NdArray; readonly g: NdArray }[]

function onGraftStep(engine: Engine, rule: keyof typeof rules, arrays: Given): Contestant {
  const parameters = arrays.map(({ p, g }, i) => {
    const tensor = engine.tensor(p.data, p.shape)
    const parameter = new Parameter(`p${i}`, tensor)
    tensor.grad = engine.tensor(g.data, g.shape)
    return parameter
  })
  const optimizer = rules[rule].graft(parameters)
  const once = () => deviceTime(engine, () => optimizer.step())
  return {
    time: once,
    async values() {
      await once()
      return at(parameters, 0).tensor.data()
    },
    dispose() {
      optimizer.zeroGrad()
      optimizer.dispose()
      for (const { tensor } of parameters) tensor.dispose()
      engine.gpu.trim()
    },
  }
}

async function onTfjsStep(
  tf: Tf,
  backend: TfBackend,
  engine: Engine,
  rule: keyof typeof rules,
  arrays: Given,
): Promise<Contestant> {
  await tf.setBackend(backend)
  await tf.ready()
  const tag = `${rule}.${backend}.${Math.random()}.`
  const variables = arrays.map(({ p }, i) => {
    const initial = tf.tensor(p.data, p.shape)
    const variable = tf.variable(initial, true, `${tag}${i}`)
    initial.dispose()
    return variable
  })
  const gradients = Object.fromEntries(
    arrays.map(({ g }, i) => [`${tag}${i}`, tf.tensor(g.data, g.shape)]),
  )
  const optimizer = rules[rule].tfjs(tf)
  const once = () => tf.tidy(() => optimizer.applyGradients(gradients))
  return {
    async time() {
      await tf.setBackend(backend)
      return timeOnTfjs(tf, backend === 'webgpu' ? engine.gpu.device : null, () => void once())
    },
    async values() {
      await tf.setBackend(backend)
      once()
      return at(variables, 0).data()
    },
    dispose() {
      for (const tensor of [...variables, ...Object.values(gradients)]) tensor.dispose()
      optimizer.dispose()
    },
  }
}
