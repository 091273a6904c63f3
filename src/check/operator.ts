import { at } from '../base/at.ts'
import type { Random } from '../base/random.ts'
import { gradientName } from '../gpu/recording.ts'
import { boundsOf } from '../reference/agreement.ts'
import { numericalGradient } from '../reference/gradcheck.ts'
import { type NdArray, ndArray, sizeOf } from '../reference/ndarray.ts'
import { gaussian, rounded } from '../reference/random.ts'
import { type AnyCase, type AnySpecification, callOn } from '../reference/specification.ts'
import type { Engine, Tensor } from '../tensor/tensor.ts'
import { type CheckCase, describeCase, type Finding, type Subject } from './subject.ts'

type Arrays = Readonly<Record<string, NdArray | null>>

/** Checks an operator's result and every gradient, as its specification asks. */
export function operatorSubject(spec: AnySpecification): Subject {
  const toCase = (one: AnyCase, seed: number): CheckCase => ({
    description: describeCase(one.shapes, one.attrs),
    run: (engine) => findings(engine, spec, one, seed),
  })
  return {
    name: spec.op.name,
    kernels: spec.kernels,
    checks: spec.checks ?? [],
    tolerance: spec.tolerance.reason,
    cases: (random: Random, drawn: number) => [
      ...Object.values(spec.edges).map((one, i) => toCase(one, i + 1)),
      ...Array.from({ length: drawn }, () => toCase(spec.draw(random), random.below(2 ** 20))),
    ],
    load: (engine) => runOnce(engine, spec, spec.large),
  }
}

/** A value for each of the operator's inputs. */
function each<T>({ op }: AnySpecification, value: (name: string, i: number) => T) {
  return Object.fromEntries(op.inputs.map((name, i) => [name, value(name, i)]))
}

/** Forward and backward, with values of which none is zero. */
function runOnce(engine: Engine, spec: AnySpecification, { shapes, attrs }: AnyCase): void {
  const filled = (shape: readonly number[], requiresGrad: boolean) => {
    const values = Float32Array.from(
      { length: sizeOf(shape) },
      (_, i) => ((i * 37) % 101) / 50 - 1.003,
    )
    return engine.tensor(values, shape, { requiresGrad })
  }
  const tensors = each(spec, (name) => {
    const shape = shapes[name]
    return shape ? filled(shape, true) : null
  })
  const y = callOn(spec, tensors, attrs)
  const dy = filled(y.shape, false)
  y.backward(dy)
  for (const tensor of [y, dy, ...Object.values(tensors)]) tensor?.dispose()
}

/** What a case's inputs hold: what it gives, or standard normal numbers drawn by the seed. */
export function inputsOf(
  spec: AnySpecification,
  { shapes, values = {}, scale = 1 }: AnyCase,
  seed: number,
): Arrays {
  return each(spec, (name, i) => {
    const shape = shapes[name]
    if (!shape) return null
    const given = values[name]
    if (given) return rounded(ndArray(given, shape))
    const { data } = gaussian(shape, seed * 31 + i)
    return rounded({ shape: [...shape], data: data.map((value) => scale * value) })
  })
}

/** What an operator computed on a GPU. */
export interface Computed {
  readonly y: Float32Array
  /** Of the inputs for which a gradient was wanted. */
  readonly gradients: Readonly<Record<string, Float32Array>>
  /** What inputs hold after the call, of those that were asked for. */
  readonly updates: Readonly<Record<string, Float32Array>>
}

/**
 * Runs forward and backward once; all memory is given back.
 * @param dy the gradient that comes in; null for backward() without one, where y is a scalar
 * @param changed inputs that are read after the call
 */
export async function compute(
  engine: Engine,
  spec: AnySpecification,
  inputs: Arrays,
  attrs: object,
  dy: NdArray | null,
  wanted: readonly string[] = spec.op.inputs,
  changed: readonly string[] = [],
): Promise<Computed> {
  const tensor = ({ data, shape }: NdArray, requiresGrad: boolean) =>
    engine.tensor(Float32Array.from(data), shape, { requiresGrad })
  const tensors = each(spec, (name) => {
    const array = inputs[name]
    return array ? tensor(array, wanted.includes(name)) : null
  })
  const held: Tensor[] = Object.values(tensors).flatMap((one) => one ?? [])
  try {
    const y = callOn(spec, tensors, attrs)
    held.push(y)
    const gradient = dy ? tensor(dy, false) : undefined
    if (gradient) held.push(gradient)
    const read = engine.readLater([y])
    if (y.requiresGrad) y.backward(gradient)
    const names = spec.op.inputs.filter((name) => tensors[name]?.grad)
    const values = await engine.read(names.flatMap((name) => tensors[name]?.grad ?? []))
    const after = await engine.read(changed.flatMap((name) => tensors[name] ?? []))
    return {
      y: at(await read(), 0),
      gradients: Object.fromEntries(names.map((name, i) => [name, at(values, i)])),
      updates: Object.fromEntries(changed.map((name, i) => [name, at(after, i)])),
    }
  } finally {
    for (const one of held) one.dispose()
  }
}

/** Runs one case and says what was computed, and what it should have been. */
export async function findings(
  engine: Engine,
  spec: AnySpecification,
  one: AnyCase,
  seed: number,
): Promise<Finding[]> {
  const { shapes, attrs, differences = false } = one
  const inputs = inputsOf(spec, one, seed)
  const expected = spec.forward(inputs, attrs)
  const dy = rounded(gaussian(expected.shape, seed + 99))
  const wanted = spec.backward(inputs, dy, attrs)
  const tolerance = spec.tolerance.of(shapes, attrs)
  const after = Object.entries(spec.updates?.(inputs, attrs) ?? {}).flatMap(([name, array]) =>
    array ? [[name, array] as const] : [],
  )
  const { y, gradients, updates } = await compute(
    engine,
    spec,
    inputs,
    attrs,
    dy,
    spec.op.inputs,
    after.map(([name]) => name),
  )
  const found: Finding[] = [
    {
      what: 'y',
      passes: ['forward'],
      against: 'reference',
      actual: y,
      expected: expected.data,
      shape: expected.shape,
      tolerance,
    },
  ]
  for (const [name, { data, shape }] of after)
    found.push({
      what: `${name} after`,
      passes: ['forward'],
      against: 'reference',
      actual: updates[name] ?? [],
      expected: data,
      shape,
      tolerance,
    })
  for (const [name, input] of Object.entries(inputs)) {
    const gradient = wanted[name]
    if (!input || !gradient) continue
    const common = {
      what: `d${name}`,
      passes: [gradientName(name)],
      actual: gradients[name] ?? [],
      shape: gradient.shape,
      tolerance,
    }
    found.push({ ...common, against: 'reference', expected: gradient.data })
    if (!differences) continue
    const forward = (x: NdArray) => spec.forward({ ...inputs, [name]: x }, attrs)
    found.push({
      ...common,
      against: 'differences',
      expected: numericalGradient(forward, input, dy).data,
      // Central differences are themselves off by some 1e-9.
      tolerance: { ...tolerance, absolute: boundsOf(tolerance).absolute + 1e-7 },
    })
  }
  return found
}
