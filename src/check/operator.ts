import type { Random } from '../base/random.ts'
import { gradientName } from '../gpu/recording.ts'
import type { Tolerance } from '../reference/compare.ts'
import { numericalGradient } from '../reference/gradcheck.ts'
import type { NdArray } from '../reference/ndarray.ts'
import { gaussian } from '../reference/random.ts'
import type { Engine } from '../tensor/engine.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type CheckCase, describeCase, type Finding, rounded, type Subject } from './subject.ts'

/** Shapes and options of one case. */
export interface OperatorCase<In extends string, Attrs> {
  readonly shapes: Readonly<Record<In, readonly number[] | null>>
  readonly attrs: Attrs
  /** Also take finite differences: for small cases, away from kinks. */
  readonly differences?: boolean
}

type Arrays<In extends string> = Readonly<Record<In, NdArray | null>>

/** An operator of the tape, and its float64 reference. */
export interface OperatorCheck<In extends string, Attrs extends object> {
  readonly name: string
  readonly inputs: readonly In[]
  readonly kernels?: Subject['kernels']
  readonly edges: readonly OperatorCase<In, Attrs>[]
  /** One large enough for its time to be measured. */
  readonly large: OperatorCase<In, Attrs>
  /** Any small case: ones and tails included. */
  draw(random: Random): OperatorCase<In, Attrs>
  run(tensors: Readonly<Record<In, Tensor | null>>, attrs: Attrs): Tensor
  forward(inputs: Arrays<In>, attrs: Attrs): NdArray
  backward(inputs: Arrays<In>, dy: NdArray, attrs: Attrs): Readonly<Record<In, NdArray>>
  /** What float32 may be off by, from the case's own sums. */
  tolerance(shapes: Readonly<Record<In, readonly number[] | null>>, attrs: Attrs): Tolerance
}

/** Checks an operator's result and every gradient. */
export function operatorSubject<In extends string, Attrs extends object>(
  check: OperatorCheck<In, Attrs>,
): Subject {
  const toCase = (one: OperatorCase<In, Attrs>, seed: number): CheckCase => ({
    description: describeCase(one.shapes, one.attrs),
    run: (engine) => findings(engine, check, one, seed),
  })
  return {
    name: check.name,
    kernels: check.kernels ?? ['fast'],
    cases: (random, drawn) => [
      ...check.edges.map((one, i) => toCase(one, i + 1)),
      ...Array.from({ length: drawn }, () => toCase(check.draw(random), random.below(2 ** 20))),
    ],
    load: (engine) => runOnce(engine, check, check.large),
  }
}

/** Forward and backward, with values of which none is zero. */
function runOnce<In extends string, Attrs extends object>(
  engine: Engine,
  { inputs, run }: OperatorCheck<In, Attrs>,
  { shapes, attrs }: OperatorCase<In, Attrs>,
): void {
  const filled = (shape: readonly number[], requiresGrad: boolean) => {
    const values = Float32Array.from(
      { length: shape.reduce((a, b) => a * b, 1) },
      (_, i) => ((i * 37) % 101) / 50 - 1.003,
    )
    return engine.tensor(values, shape, { requiresGrad })
  }
  const tensors = Object.fromEntries(
    inputs.map((name) => {
      const shape = shapes[name]
      return [name, shape ? filled(shape, true) : null]
    }),
  ) as Record<In, Tensor | null>
  const y = run(tensors, attrs)
  const dy = filled(y.shape, false)
  y.backward(dy)
  for (const tensor of [y, dy, ...Object.values<Tensor | null>(tensors)]) tensor?.dispose()
}

/** An input that a case must have. */
export function given<T>(input: T | null): T {
  if (!input) throw new Error('an input is missing')
  return input
}

async function findings<In extends string, Attrs extends object>(
  engine: Engine,
  check: OperatorCheck<In, Attrs>,
  { shapes, attrs, differences = false }: OperatorCase<In, Attrs>,
  seed: number,
): Promise<Finding[]> {
  const each = <T>(value: (name: In, i: number) => T) =>
    Object.fromEntries(check.inputs.map((name, i) => [name, value(name, i)])) as Record<In, T>
  const inputs: Arrays<In> = each((name, i) => {
    const shape = shapes[name]
    return shape ? rounded(gaussian(shape, seed * 31 + i)) : null
  })
  const expected = check.forward(inputs, attrs)
  const dy = rounded(gaussian(expected.shape, seed + 99))
  const gradients = check.backward(inputs, dy, attrs)
  const tolerance = check.tolerance(shapes, attrs)

  const tensors = each((name) => {
    const array = inputs[name]
    return array
      ? engine.tensor(Float32Array.from(array.data), array.shape, { requiresGrad: true })
      : null
  })
  const held: Tensor[] = check.inputs.flatMap((name) => tensors[name] ?? [])
  try {
    const y = check.run(tensors, attrs)
    held.push(y)
    const gradient = engine.tensor(Float32Array.from(dy.data), y.shape)
    held.push(gradient)
    const first = engine.readLater([y])
    y.backward(gradient)
    const wanted = check.inputs.filter((name) => tensors[name]?.grad)
    const values = await engine.read(wanted.flatMap((name) => tensors[name]?.grad ?? []))
    const [result = new Float32Array(0)] = await first()
    return [
      {
        what: 'y',
        passes: ['forward'],
        against: 'reference',
        actual: result,
        expected: expected.data,
        shape: expected.shape,
        tolerance,
      },
      ...wanted.flatMap((name, i): Finding[] => {
        const common = {
          what: `d${name}`,
          passes: [gradientName(name)],
          actual: values[i] ?? new Float32Array(0),
          shape: gradients[name].shape,
          tolerance,
        }
        const found: Finding[] = [
          { ...common, against: 'reference', expected: gradients[name].data },
        ]
        if (differences) {
          const at = (x: NdArray) => check.forward({ ...inputs, [name]: x }, attrs)
          const { data } = numericalGradient(at, given<NdArray>(inputs[name]), dy)
          // Central differences are themselves off by some 1e-9.
          found.push({
            ...common,
            against: 'differences',
            expected: data,
            tolerance: { ...tolerance, absolute: (tolerance.absolute ?? 0) + 1e-7 },
          })
        }
        return found
      }),
    ]
  } finally {
    for (const tensor of held) tensor.dispose()
  }
}
