import { at } from '../base/at.ts'
import { AutogradError, ShapeError } from '../base/errors.ts'
import { typeName } from '../base/options.ts'
import type { Recorder } from '../gpu/recorder.ts'
import { gradientName } from '../gpu/recording.ts'
import type { Activation, AnyOp, Buffers, ByInput, Op } from '../ops/op.ts'
import { allocate, type NdBuffer, type Shape } from '../tensor/ndbuffer.ts'
import { type Engine, Tensor } from '../tensor/tensor.ts'
import { type Flow, Node } from './node.ts'

type Inputs = Readonly<Record<string, Tensor | null>>

/**
 * Runs an operator on tensors and, where a gradient has to flow, records it on the tape.
 * @throws ShapeError for inputs the operator cannot take, or where it needs more memory at once
 * than one binding; nothing is then left allocated
 * @example const y = apply(linear, { x, weight, bias: null }, { relu: true })
 */
export function apply<
  In extends string,
  Attrs,
  Kept extends Readonly<Record<string, Buffers>>,
  Optional extends string,
>(op: Op<In, Attrs, Kept, Optional>, inputs: ByInput<In, Optional, Tensor>, attrs: Attrs): Tensor {
  // Operators and their callers are typed. The code in between handles all inputs alike, by name.
  return run(op, inputs, attrs)
}

function run(op: AnyOp, inputs: Inputs, attrs: unknown): Tensor {
  for (const name of op.inputs)
    if (inputs[name] !== null || !op.optional?.includes(name))
      requireTensor(op.name, name, inputs[name])
  const tensors = [...new Set(op.inputs.flatMap((name) => inputs[name] ?? []))]
  const engine = engineOf(op.name, tensors)
  const { gpu, gradEnabled } = engine
  const byInput = <T>(value: (tensor: Tensor) => T): Record<string, T | null> =>
    Object.fromEntries(
      op.inputs.map((name) => {
        const tensor = inputs[name]
        return [name, tensor ? value(tensor) : null]
      }),
    )
  const buffers = byInput((tensor) => tensor.buffer)
  const shapes = byInput((tensor) => tensor.shape)
  const wanting = gradEnabled ? tensors.filter((tensor) => tensor.requiresGrad) : []
  const needs = Object.fromEntries(
    op.inputs.map((name) => [name, wanting.some((tensor) => tensor === inputs[name])]),
  )
  const shape = op.outShape(shapes, attrs)
  if (op.unchanged?.(attrs)) return view(op.name, at(tensors, 0), shape)
  const y = allocate(gpu, shape)
  const out = new Tensor(engine, y)
  return gpu.withScratch(() => {
    const kept = releasedOnError([y], () => {
      gpu.recorder?.enter(op.name, 'forward', Object.values(buffers), attrs)
      const kept = op.forward(gpu, buffers, y, attrs, needs)
      gpu.recorder?.leave({ ...buffers, y })
      return kept
    })
    if (gpu.recorder) noteOmissions(gpu.recorder, op.inputs, inputs, gradEnabled)
    if (wanting.length === 0) return out
    record(out, new Node(op.name, gpu.layer, wanting, kept, flowThrough(op, inputs, attrs, shapes)))
    const activation = op.activation?.(attrs)
    return activation ? activated(activation, out) : out
  })
}

/**
 * The activation that an operator has applied to its result, as a step of its own on the tape: dy
 * comes back through it before the operator's gradients are computed. Its input was never stored,
 * and its result is the operator's memory.
 */
function activated(activation: Activation, input: Tensor): Tensor {
  const { engine, buffer, shape } = input
  const y = new Tensor(engine, { storage: buffer.storage.retain(), shape })
  const flow = flowThrough(activation, { x: input }, {}, { x: shape })
  record(y, new Node(activation.name, engine.gpu.layer, [input], { x: { y: buffer } }, flow))
  input.free()
  return y
}

/**
 * For a layer whose activation the operator before it has applied: names the layer as the one that
 * its gradient belongs to, and notes it in a recording.
 * @param formula what was applied, for the recording: 'max(x, 0)'
 */
export function noteActivation(activation: Activation, y: Tensor, formula: string): void {
  const { gpu, gradEnabled } = y.engine
  if (y.node instanceof Node && y.node.name === activation.name) y.node.layer = gpu.layer
  const { recorder } = gpu
  if (!recorder) return
  recorder.omit('forward', `the launch before it has stored ${formula}`)
  recorder.enter(activation.name, 'forward', [y.buffer])
  recorder.leave({ x: y.buffer, y: y.buffer })
  noteOmissions(recorder, activation.inputs, { x: y }, gradEnabled)
}

function record(tensor: Tensor, node: Node): void {
  tensor.requiresGrad = true
  tensor.node = node
}

/**
 * How dy flows back through an operator. Gradients are computed one at a time, the last input's
 * first, so that their temporary memory is not held all at once.
 */
function flowThrough(
  op: AnyOp,
  inputs: Inputs,
  attrs: unknown,
  shapes: Readonly<Record<string, Shape | null>>,
): Flow {
  return (node, dy, wanted, unit) => {
    const made: (readonly [Tensor, NdBuffer])[] = []
    let shared = false
    for (const name of [...op.inputs].reverse()) {
      const tensor = inputs[name]
      if (!tensor || !wanted.has(tensor)) continue
      const { gpu } = tensor.engine
      const backward = op.backward[name]
      if (!backward)
        throw new Error(`${op.name} does not say how the gradient of ${name} is computed`)
      // Only a computed tensor may share memory: an optimizer changes a leaf's gradient in place.
      if (tensor.node && op.unchangedGradients?.includes(name)) {
        made.push([tensor, { storage: dy.storage.retain(), shape: tensor.shape }])
        gpu.recorder?.enter(op.name, 'backward', [dy], attrs)
        gpu.recorder?.omit(gradientName(name), 'it is the gradient that comes in')
        gpu.recorder?.leave({ dy }, { [name]: dy })
        continue
      }
      const kept = node.keptFor(name)
      const ready = kept.gradient
      const gradient = ready
        ? { storage: ready.storage.retain(), shape: tensor.shape }
        : allocate(gpu, tensor.shape)
      made.push([tensor, gradient])
      releasedOnError(
        made.map(([, buffer]) => buffer),
        () => {
          gpu.recorder?.enter(op.name, 'backward', [dy], attrs)
          if (ready && unit) gpu.recorder?.omit(gradientName(name), 'forward has computed it')
          else
            gpu.withScratch(() => {
              if (!shared) op.share?.(gpu, dy, node.requireKept(), attrs, shapes)
              shared = true
              backward(gpu, dy, gradient, kept, attrs, shapes)
            })
          gpu.recorder?.leave({ dy }, { [name]: gradient })
        },
      )
    }
    return made.reverse()
  }
}

/** Notes in a recording which gradients backward will not compute, and why. */
function noteOmissions(
  recorder: Recorder,
  names: readonly string[],
  inputs: Inputs,
  gradEnabled: boolean,
): void {
  for (const name of names) {
    const tensor = inputs[name]
    if (!tensor || (gradEnabled && tensor.requiresGrad)) continue
    const frozen =
      name === 'weight' || name === 'bias'
        ? 'the parameter is frozen'
        : 'nothing before this layer trains'
    recorder.omit(gradientName(name), gradEnabled ? frozen : 'gradients are off')
  }
}

/** @throws ShapeError for what is not a tensor */
export function requireTensor(
  op: string,
  input: string,
  value: Tensor | null | undefined,
): asserts value is Tensor {
  if (value instanceof Tensor) return
  const given = value === undefined ? 'left out' : typeName(value)
  throw new ShapeError(
    `${op}: ${input} is ${given}, and has to be a tensor, ` +
      'as engine.tensor(values, shape) makes one',
  )
}

/** Runs `body`; where it throws, releases the buffers, which nobody will hold. */
function releasedOnError<T>(buffers: readonly NdBuffer[], body: () => T): T {
  try {
    return body()
  } catch (error) {
    for (const { storage } of buffers) storage.release()
    throw error
  }
}

/** A tensor that shares x's memory, under the same or another shape. */
export function view(name: string, x: Tensor, shape: Shape): Tensor {
  const { engine, requiresGrad } = x
  const { gpu, gradEnabled } = engine
  gpu.recorder?.omit(name, 'its result is the same memory')
  const out = new Tensor(engine, { storage: x.buffer.storage.retain(), shape })
  const flow: Flow = (_, dy) => [[x, { storage: dy.storage.retain(), shape: x.shape }]]
  if (gradEnabled && requiresGrad) record(out, new Node(name, gpu.layer, [x], {}, flow))
  return out
}

function engineOf(name: string, tensors: readonly Tensor[]): Engine {
  const [engine, ...others] = new Set(tensors.map((tensor) => tensor.engine))
  if (!engine || others.length > 0)
    throw new AutogradError(
      `${name}: the inputs live on ${others.length + 1} different engines; they have to share one`,
    )
  return engine
}
