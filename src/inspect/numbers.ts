/** Every number of a recorded step against float64: which layer is the first to be wrong. */
import type { OperatorCheck } from '../check/operator.ts'
import { operatorChecks } from '../check/operators.ts'
import type { RecordedCall, RecordedTensor, Recording } from '../gpu/recording.ts'
import { type Comparison, compare, coordinates, type Tolerance } from '../reference/compare.ts'
import { crossEntropy, crossEntropyBackward } from '../reference/crossEntropy.ts'
import { type NdArray, ndArray, sizeOf } from '../reference/ndarray.ts'
import { stepRate } from './step.ts'

/** One tensor of the step, compared. */
export interface NumberRow {
  /** Which call of the recording computed it. */
  readonly call: number
  readonly layer: string | null
  readonly operator: string
  /** 'y', 'dx', 'dweight' … */
  readonly what: string
  /**
   * The relative Frobenius error against the float64 reference of this operator, from the values
   * that it read itself.
   */
  readonly relative: number
  readonly allowed: number
  /** The relative error against float64 all the way from the image; null for gradients. */
  readonly sinceImage: number | null
  readonly worst: {
    readonly at: readonly number[]
    readonly actual: number
    readonly expected: number
  }
  readonly ok: boolean
}

type AnyCheck = OperatorCheck<string, object>

/**
 * Computes every call of a recording again in float64, forward and backward, from the values it
 * kept.
 * @param target the class that a training step was told
 * @param onProgress called after each call
 */
export async function compareNumbers(
  recording: Recording,
  target: number | null,
  onProgress?: (done: number, total: number) => void,
): Promise<NumberRow[]> {
  const rows: NumberRow[] = []
  const gradientsOf = backwardReferences(target)
  /** The float64 result of everything before, from the image on. */
  let chain: NdArray | null = null
  for (const [index, call] of recording.calls.entries()) {
    const forward = call.pass === 'forward' ? call : forwardOf(recording, call)
    const check =
      call.operator in operatorChecks
        ? (operatorChecks[call.operator as keyof typeof operatorChecks] as unknown as AnyCheck)
        : null
    if (check && forward) {
      const inputs = Object.fromEntries(
        check.inputs.map((name) => [name, arrayOf(forward.tensors[name])]),
      )
      const shapes = Object.fromEntries(
        check.inputs.map((name) => [name, forward.tensors[name]?.shape ?? null]),
      )
      const judged = judge(call, index, check.tolerance(shapes, forward.attrs as object))
      if (call.pass === 'forward') {
        const expected = forwardReference(check, inputs, call, target)
        const whole: NdArray =
          chain && !sameValues(chain, inputs)
            ? forwardReference(check, { ...inputs, ...reshaped(inputs, chain) }, call, target)
            : expected
        // Where another call's launch computed it there is nothing of its own to compare.
        if (call.end > call.first) rows.push(...judged({ y: expected }, whole))
        chain = whole
      } else rows.push(...judged(gradientsOf(check, inputs, call, forward), null))
    }
    if (call.pass === 'step') rows.push(...stepRows(recording, call, index))
    onProgress?.(index + 1, recording.calls.length)
    await new Promise((resolve) => setTimeout(resolve))
  }
  return rows
}

/** A parameter after its first step of SGD, with or without momentum: p − lr · gradient. */
function stepRows(recording: Recording, call: RecordedCall, index: number): NumberRow[] {
  const [, layer = '', kind = ''] = /^(.*)\.(\w+)$/.exec(call.layer ?? '') ?? []
  const of = (pass: RecordedCall['pass'], name: string) =>
    recording.calls.find((one) => one.pass === pass && one.layer === layer && one.tensors[name])
      ?.tensors[name]
  const [before, gradient] = [arrayOf(of('forward', kind)), arrayOf(of('backward', `d${kind}`))]
  if (!before || !gradient) return []
  const data = before.data.map((value, i) => value - stepRate.lr * (gradient.data[i] ?? Number.NaN))
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

/** The forward call of the same layer and operator. */
export function forwardOf(
  { calls }: Recording,
  { layer, operator }: RecordedCall,
): RecordedCall | undefined {
  return calls.find(
    (call) => call.pass === 'forward' && call.layer === layer && call.operator === operator,
  )
}

function forwardReference(
  check: AnyCheck,
  inputs: Record<string, NdArray | null>,
  call: RecordedCall,
  target: number | null,
): NdArray {
  if (call.operator !== 'crossEntropy') return check.forward(inputs, call.attrs as object)
  const logits = inputs.logits as NdArray
  return { ...crossEntropy(logits, targetsOf(logits, target)), shape: [] }
}

/**
 * A layer's gradients in float64. Its backward calls, one for each gradient, follow each other and
 * share what is computed for the first.
 */
function backwardReferences(target: number | null) {
  let last: {
    readonly forward: RecordedCall
    readonly dy: NdArray
    readonly gradients: Readonly<Record<string, NdArray>>
  } | null = null
  return (
    check: AnyCheck,
    inputs: Record<string, NdArray | null>,
    call: RecordedCall,
    forward: RecordedCall,
  ) => {
    const dy = arrayOf(call.tensors.dy) as NdArray
    if (last?.forward === forward && last.dy.data.every((value, i) => Object.is(value, dy.data[i])))
      return last.gradients
    const logits = inputs.logits
    const computed = logits
      ? { logits: crossEntropyBackward(logits, targetsOf(logits, target), dy) }
      : // dy has come back through the ReLU
        check.backward(inputs, dy, { ...(forward.attrs as object), relu: false })
    const gradients = Object.fromEntries(
      Object.entries(computed).map(([name, array]) => [`d${name}`, array]),
    )
    last = { forward, dy, gradients }
    return gradients
  }
}

function targetsOf(logits: NdArray, target: number | null): Int32Array {
  return new Int32Array(logits.shape[0] ?? 1).fill(target ?? 0)
}

function judge(call: RecordedCall, index: number, tolerance: Tolerance) {
  return (expected: Readonly<Record<string, NdArray>>, whole: NdArray | null): NumberRow[] =>
    Object.entries(expected).flatMap(([what, { data, shape }]) => {
      const values = call.tensors[what]?.values
      if (!values) return []
      const found: Comparison = compare(values, data, tolerance)
      const { layer, operator } = call
      return [
        {
          ...{
            call: index,
            layer,
            operator,
            what,
            relative: found.relative,
            allowed: tolerance.relative ?? 1e-5,
            ok: found.ok,
          },
          sinceImage: whole ? compare(values, whole.data, tolerance).relative : null,
          worst: {
            at: coordinates(found.worst?.index ?? 0, shape),
            actual: found.worst?.actual ?? 0,
            expected: found.worst?.expected ?? 0,
          },
        },
      ]
    })
}

function arrayOf(tensor: RecordedTensor | undefined): NdArray | null {
  return tensor?.values ? ndArray(tensor.values, tensor.shape) : null
}

/** Whether the chain's values are what this call read, so that one computation serves for both. */
function sameValues(from: NdArray, inputs: Readonly<Record<string, NdArray | null>>): boolean {
  const input = inputs.x ?? inputs.logits
  return (
    input !== null && input !== undefined && from.data.every((value, i) => value === input.data[i])
  )
}

/** The chain's values in the place of the call's own first input, under its shape. */
function reshaped(
  inputs: Readonly<Record<string, NdArray | null>>,
  from: NdArray,
): Record<string, NdArray> {
  const name = inputs.x ? 'x' : 'logits'
  const shape = inputs[name]?.shape ?? []
  if (sizeOf(shape) !== from.data.length)
    throw new Error(`the chain's ${from.data.length} values do not fill ${name} [${shape}]`)
  return { [name]: { shape, data: from.data } }
}
