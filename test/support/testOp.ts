import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type NdArray, ndArray } from '../../src/reference/ndarray.ts'
import { gaussian } from '../../src/reference/random.ts'
import type { Engine } from '../../src/tensor/engine.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { expectClose, type Tolerance } from './compare.ts'
import { testEngine } from './engine.ts'
import {
  loadCase,
  ORACLE_TOLERANCE,
  type OracleAttrs,
  type OracleTensors,
  oracleCases,
  tensorOf,
} from './oracle.ts'

/**
 * The shapes and attributes of one case; inputs are drawn from a seed unless `values` gives them.
 */
export interface OpCase<In extends string, Attrs> {
  readonly shapes: Readonly<Record<In, readonly number[] | null>>
  readonly attrs: Attrs
  readonly values?: Partial<Readonly<Record<In, ArrayLike<number>>>>
}

type Arrays<In extends string> = Readonly<Record<In, NdArray | null>>

/** An operator as its test sees it. */
export interface OpSpec<In extends string, Attrs> {
  readonly inputs: readonly In[]
  /** The public function. */
  readonly run: (tensors: Readonly<Record<In, Tensor>>, attrs: Attrs, given: Arrays<In>) => Tensor
  /** The float64 reference. */
  readonly forward: (inputs: Arrays<In>, attrs: Attrs) => NdArray
  readonly backward: (
    inputs: Arrays<In>,
    dy: NdArray,
    attrs: Attrs,
  ) => Readonly<Record<In, NdArray>>
  /** What float32 may be off by; a case's own sums decide. */
  readonly tolerance: (inputs: Arrays<In>, attrs: Attrs) => Tolerance
  /**
   * Which engines to run on: both where an operator has fast and plain kernels. Default: 'auto'
   * alone.
   */
  readonly kernels?: readonly ('auto' | 'plain')[]
  readonly cases: Readonly<Record<string, OpCase<In, Attrs>>>
  /** Any small case: ones and tails included. */
  readonly generated?: fc.Arbitrary<OpCase<In, Attrs>>
  /** PyTorch's cases of this operator. */
  readonly oracle?: {
    readonly op: string
    readonly attrs: (attrs: OracleAttrs, tensors: OracleTensors) => Attrs
    /** The case's name of each gradient. */
    readonly gradients: Readonly<Record<In, string>>
  }
}

const runs = 25

/**
 * Checks an operator, forward and every gradient: named cases, generated ones, PyTorch's; and that
 * it computes what is asked, and leaks nothing.
 */
export function testOp<In extends string, Attrs>(name: string, spec: OpSpec<In, Attrs>): void {
  for (const kernels of spec.kernels ?? (['auto'] as const))
    describe(`${name}, ${kernels === 'plain' ? 'plain kernels' : 'fast kernels'}`, () => {
      test.each(Object.entries(spec.cases))('%s', async (_, one) => {
        await checkCase(await testEngine(kernels), spec, one, 1)
      })

      test.skipIf(!spec.generated)('any shape', async () => {
        const engine = await testEngine(kernels)
        const property = fc.asyncProperty(
          spec.generated as fc.Arbitrary<OpCase<In, Attrs>>,
          fc.nat(1e6),
          (one, seed) => checkCase(engine, spec, one, seed),
        )
        await fc.assert(property, { numRuns: runs, seed: 7, endOnFailure: true })
      })

      const { oracle } = spec
      test.skipIf(!oracle).each(oracle ? oracleCases(oracle.op) : [])(
        'as PyTorch: $name',
        async (one) => {
          if (!oracle) return
          const engine = await testEngine(kernels)
          const tensors = loadCase(one)
          const attrs = oracle.attrs(one.attrs, tensors)
          const array = (key: string) =>
            key in tensors
              ? ndArray(tensorOf(tensors, key).data, tensorOf(tensors, key).shape)
              : null
          const inputs = Object.fromEntries(spec.inputs.map((key) => [key, array(key)])) as Record<
            In,
            NdArray | null
          >
          const y = array('y')
          const dy = array('dy')
          if (!y || !dy) throw new Error('the case lacks y or dy')
          const actual = await compute(engine, spec, inputs, attrs, dy, spec.inputs)
          const limit = { relative: ORACLE_TOLERANCE.operator }
          expectClose(actual.y, y.data, y.shape, { ...limit, name: 'y' })
          for (const key of spec.inputs) {
            const wanted = array(oracle.gradients[key])
            if (wanted)
              expectClose(actual.gradients[key] ?? [], wanted.data, wanted.shape, {
                ...limit,
                name: oracle.gradients[key],
              })
          }
        },
      )

      test('computes the gradients that are asked for', async () => {
        const engine = await testEngine(kernels)
        const [one] = Object.values(spec.cases)
        if (!one) throw new Error('there is no case')
        const inputs = draw(spec, one, 3)
        const y = spec.forward(inputs, one.attrs)
        const dy = rounded(gaussian(y.shape, 5))
        const all = await compute(engine, spec, inputs, one.attrs, dy, spec.inputs)
        for (let subset = 0; subset < 2 ** spec.inputs.length; subset++) {
          const wanted = spec.inputs.filter((key, i) => inputs[key] && (subset >> i) & 1)
          const some = await compute(engine, spec, inputs, one.attrs, dy, wanted)
          expect(Object.keys(some.gradients).sort()).toEqual([...wanted].sort())
          for (const key of wanted) expect(some.gradients[key]).toEqual(all.gradients[key])
        }
      })
    })
}

/** An input that a case must have. */
export function given(array: NdArray | null): NdArray {
  if (!array) throw new Error('an input is missing')
  return array
}

/** The values as float32 has them, so that the reference starts from the same numbers. */
export function rounded({ shape, data }: NdArray): NdArray {
  return ndArray(Float32Array.from(data), shape)
}

function draw<In extends string, Attrs>(
  spec: OpSpec<In, Attrs>,
  { shapes, values }: OpCase<In, Attrs>,
  seed: number,
): Arrays<In> {
  return Object.fromEntries(
    spec.inputs.map((key, i) => {
      const shape = shapes[key]
      if (!shape) return [key, null]
      const given = values?.[key]
      return [key, rounded(given ? ndArray(given, shape) : gaussian(shape, seed * 31 + i))]
    }),
  ) as Record<In, NdArray | null>
}

async function checkCase<In extends string, Attrs>(
  engine: Engine,
  spec: OpSpec<In, Attrs>,
  one: OpCase<In, Attrs>,
  seed: number,
): Promise<void> {
  const inputs = draw(spec, one, seed)
  const y = spec.forward(inputs, one.attrs)
  const dy = rounded(gaussian(y.shape, seed + 99))
  const wanted = spec.backward(inputs, dy, one.attrs)
  const actual = await compute(engine, spec, inputs, one.attrs, dy, spec.inputs)
  const tolerance = spec.tolerance(inputs, one.attrs)
  expectClose(actual.y, y.data, y.shape, { ...tolerance, name: 'y' })
  for (const key of spec.inputs) {
    if (!inputs[key]) continue
    expectClose(actual.gradients[key] ?? [], wanted[key].data, wanted[key].shape, {
      ...tolerance,
      name: `gradient of ${key}`,
    })
  }
}

/** Runs forward and backward once, and sees that all memory comes back. */
async function compute<In extends string, Attrs>(
  engine: Engine,
  spec: OpSpec<In, Attrs>,
  inputs: Arrays<In>,
  attrs: Attrs,
  dy: NdArray,
  wanted: readonly In[],
): Promise<{ y: Float32Array; gradients: Partial<Record<In, Float32Array>> }> {
  const before = engine.memory()
  const tensors = Object.fromEntries(
    spec.inputs.flatMap((key) => {
      const array = inputs[key]
      return array
        ? [
            [
              key,
              engine.tensor(Float32Array.from(array.data), array.shape, {
                requiresGrad: wanted.includes(key),
              }),
            ],
          ]
        : []
    }),
  ) as Record<In, Tensor>
  const y = spec.run(tensors, attrs, inputs)
  const values = await y.data()
  const gradients: Partial<Record<In, Float32Array>> = {}
  const gradient = engine.tensor(Float32Array.from(dy.data), dy.shape)
  if (y.requiresGrad) {
    expect([...y.shape]).toEqual([...dy.shape])
    y.backward(gradient)
    for (const key of spec.inputs)
      if (tensors[key]?.grad) gradients[key] = await tensors[key].grad.data()
  }
  for (const tensor of [y, gradient, ...(Object.values(tensors) as Tensor[])]) tensor.dispose()
  expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
  return { y: values, gradients }
}
