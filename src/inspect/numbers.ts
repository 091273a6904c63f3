/** Every number of a recorded step against float64: which layer is the first to be wrong. */
import type { RecordedCall, RecordedTensor, Recording } from '../gpu/recording.ts'
import { boundsOf, compareTensors, coordinates, type Tolerance } from '../reference/agreement.ts'
import { specifications } from '../reference/index.ts'
import { at, type NdArray, ndArray, sizeOf } from '../reference/ndarray.ts'
import type { AnySpecification } from '../reference/specification.ts'
import { forwardOf } from './calls.ts'
import type { NumberRow } from './inspection.ts'
import { stepRate } from './step.ts'

type Inputs = Readonly<Record<string, NdArray | null>>

/**
 * Computes every call of a recording again in float64, forward and backward, from the values it
 * kept.
 * @param onProgress called after each call
 */
export async function compareNumbers(
  recording: Recording,
  onProgress?: (done: number, total: number) => void,
): Promise<NumberRow[]> {
  const rows: NumberRow[] = []
  const gradientsOf = backwardReferences()
  /** The float64 result of everything before, from the image on. */
  let chain: NdArray | null = null
  for (const [index, call] of recording.calls.entries()) {
    const forward = call.pass === 'forward' ? call : forwardOf(recording, call)
    const specification = specifications[call.operator]
    if (specification && forward) {
      const attrs = forward.attrs as object
      const names = specification.op.inputs
      const inputs = Object.fromEntries(names.map((name) => [name, arrayOf(forward.tensors[name])]))
      const shapes = Object.fromEntries(
        names.map((name) => [name, forward.tensors[name]?.shape ?? null]),
      )
      const judged = judge(call, index, specification.tolerance.of(shapes, attrs))
      if (call.pass === 'forward') {
        const expected = specification.forward(inputs, attrs)
        const chained: Inputs | null = chain && withFirst(specification, inputs, chain)
        const whole: NdArray = chained ? specification.forward(chained, attrs) : expected
        // Where another call's launch computed it there is nothing of its own to compare.
        if (call.end > call.first) rows.push(...judged({ y: expected }, whole))
        chain = whole
      } else rows.push(...judged(gradientsOf(specification, inputs, call, forward), null))
    }
    if (call.pass === 'step') rows.push(...stepRows(recording, call, index))
    onProgress?.(index + 1, recording.calls.length)
    await new Promise((resolve) => setTimeout(resolve))
  }
  return rows
}

/** A parameter after its first step of SGD, with or without momentum: p − lr · gradient. */
function stepRows(recording: Recording, call: RecordedCall, index: number): NumberRow[] {
  const [, layer, kind] = /^(.*)\.(\w+)$/.exec(call.layer ?? '') ?? []
  if (layer === undefined || kind === undefined) return []
  const of = (pass: RecordedCall['pass'], name: string) =>
    recording.calls.find((one) => one.pass === pass && one.layer === layer && one.tensors[name])
      ?.tensors[name]
  const [before, gradient] = [arrayOf(of('forward', kind)), arrayOf(of('backward', `d${kind}`))]
  if (!before || !gradient) return []
  const data = before.data.map((value, i) => value - stepRate.lr * at(gradient.data, i))
  return judge(call, index, { relative: 1e-6 })({ p: { shape: before.shape, data } }, null)
}

/**
 * The first tensor, in the order of computation, that is beyond its tolerance; null where all
 * agree.
 * @example const wrong = firstDiverging(inspection.numbers)
 */
export function firstDiverging(rows: readonly NumberRow[]): NumberRow | null {
  return rows.find(({ ok }) => !ok) ?? null
}

/**
 * A layer's gradients in float64. Its backward calls, one for each gradient, follow each other and
 * share what is computed for the first.
 */
function backwardReferences() {
  let last: {
    readonly forward: RecordedCall
    readonly dy: NdArray
    readonly gradients: Readonly<Record<string, NdArray>>
  } | null = null
  return (
    specification: AnySpecification,
    inputs: Inputs,
    call: RecordedCall,
    forward: RecordedCall,
  ) => {
    const dy = arrayOf(call.tensors.dy)
    if (!dy) return {}
    if (last?.forward === forward && last.dy.data.every((value, i) => Object.is(value, dy.data[i])))
      return last.gradients
    // dy has come back through the ReLU
    const attrs = { ...(forward.attrs as object), relu: false }
    const gradients = Object.fromEntries(
      Object.entries(specification.backward(inputs, dy, attrs)).map(([name, array]) => [
        `d${name}`,
        array,
      ]),
    )
    last = { forward, dy, gradients }
    return gradients
  }
}

function judge(call: RecordedCall, index: number, tolerance: Tolerance) {
  return (expected: Readonly<Record<string, NdArray>>, whole: NdArray | null): NumberRow[] =>
    Object.entries(expected).flatMap(([what, { data, shape }]) => {
      const values = call.tensors[what]?.values
      if (!values) return []
      const { relative, ok, worst } = compareTensors(values, data, tolerance)
      if (!worst) return [] // an empty tensor
      const row: NumberRow = {
        call: index,
        layer: call.layer,
        operator: call.operator,
        what,
        relative,
        allowed: boundsOf(tolerance).relative,
        sinceImage: whole ? compareTensors(values, whole.data, tolerance).relative : null,
        worst: {
          at: coordinates(worst.index, shape),
          actual: worst.actual,
          expected: worst.expected,
        },
        ok,
      }
      return [row]
    })
}

function arrayOf(tensor: RecordedTensor | undefined): NdArray | null {
  return tensor?.values ? ndArray(tensor.values, tensor.shape) : null
}

/**
 * The inputs with the chain's values as the first of them, in its shape; null where the call read
 * the same values, so that one computation serves for both.
 */
function withFirst({ op }: AnySpecification, inputs: Inputs, { data }: NdArray): Inputs | null {
  const [name] = op.inputs
  const input = name === undefined ? null : inputs[name]
  if (name === undefined || !input) return null
  if (sizeOf(input.shape) !== data.length)
    throw new Error(`${data.length} values cannot be ${name} [${input.shape}] of ${op.name}`)
  if (data.every((value, i) => value === input.data[i])) return null
  return { ...inputs, [name]: { shape: input.shape, data } }
}
