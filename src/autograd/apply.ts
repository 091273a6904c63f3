import { AutogradError, ShapeError } from '../base/errors.ts'
import { typeName } from '../base/options.ts'
import type { Recorder } from '../gpu/recorder.ts'
import { gradientName } from '../gpu/recording.ts'
import {
  type Grads,
  type InputShapes,
  type Inputs,
  keptAt,
  type Needs,
  type Op,
  type ViewOp,
} from '../ops/op.ts'
import type { Engine } from '../tensor/engine.ts'
import { allocate, type NdBuffer } from '../tensor/ndbuffer.ts'
import { Tensor } from '../tensor/tensor.ts'
import { Node } from './node.ts'

/**
 * Runs an operator on tensors and, where a gradient has to flow, records it.
 * @param into the memory of the result, held once for it. Default: memory of its own
 * @throws ShapeError for inputs the operator cannot take, or where it needs more memory at once
 * than one binding; nothing is then left allocated
 */
export function apply<In extends string, Attrs>(
  op: Op<In, Attrs>,
  inputs: Readonly<Record<In, Tensor | null>>,
  attrs: Attrs,
  into?: NdBuffer,
): Tensor {
  const tensors = op.inputs.map((name) => inputs[name])
  for (const [i, tensor] of tensors.entries())
    if (tensor !== null) requireTensor(op.name, op.inputs[i] ?? '', tensor)
  const engine = engineOf(op.name, tensors)
  if (op.name !== 'relu' && tensors.some((tensor) => tensor?.rectified))
    throw new AutogradError(
      `${op.name}: an input holds max(x, 0) already and is for the ReLU that follows: do not ask a layer for 'relu' here`,
    )
  const { gpu } = engine
  const record = <T>(value: (tensor: Tensor | null) => T) =>
    Object.fromEntries(op.inputs.map((name) => [name, value(inputs[name])])) as Record<In, T>
  const buffers: Inputs<In> = record((tensor) => tensor?.buffer ?? null)
  const shapes: InputShapes<In> = record((tensor) => tensor?.shape ?? null)
  const needs: Needs<In> = record((tensor) => engine.gradEnabled && (tensor?.requiresGrad ?? false))
  const y = into ?? allocate(gpu, op.outShape(shapes, attrs))
  const out = new Tensor(engine, y)
  gpu.withScratch(() => {
    const kept = releasedOnError([y], () => {
      gpu.recorder?.enter(op.name, 'forward', Object.values(buffers), attrs)
      const kept = op.forward(gpu, buffers, y, attrs, needs)
      gpu.recorder?.leave({ ...buffers, y })
      return kept
    })
    if (gpu.recorder) noteOmissions(gpu.recorder, op.inputs, inputs, engine.gradEnabled)
    const wanting = tensors.filter(
      (tensor): tensor is Tensor => tensor !== null && engine.gradEnabled && tensor.requiresGrad,
    )
    if (wanting.length === 0) return
    out.requiresGrad = true
    out.node = new Node(
      op.name,
      gpu.layer,
      [...new Set(wanting)],
      kept,
      (node, dy, wanted, unit) => {
        const made: (readonly [Tensor, NdBuffer])[] = []
        // One gradient after the other, the last input's first: they need not be held, nor their
        // temporary memory, all at once.
        for (const name of [...op.inputs].reverse()) {
          const tensor = inputs[name]
          if (!tensor || !wanted.has(tensor)) continue
          const ready = op.differentiates === name ? keptAt(node.kept, 0) : null
          const grad = ready
            ? { storage: ready.storage.retain(), shape: tensor.shape }
            : allocate(gpu, tensor.shape)
          made.push([tensor, grad])
          const grads = { ...record(() => null), [name]: grad } as Grads<In>
          releasedOnError(
            made.map(([, buffer]) => buffer),
            () => {
              gpu.recorder?.enter(op.name, 'backward', [dy], attrs)
              if (ready && unit) gpu.recorder?.omit(gradientName(name), 'forward has computed it')
              else gpu.withScratch(() => op.backward(gpu, node.kept, dy, grads, attrs, shapes))
              gpu.recorder?.leave({ dy }, grads)
            },
          )
        }
        return made.reverse()
      },
    )
  })
  return out
}

/** Says which gradients backward will not compute, and why. */
function noteOmissions<In extends string>(
  recorder: Recorder,
  names: readonly In[],
  inputs: Readonly<Record<In, Tensor | null>>,
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

/** @throws ShapeError for what is no tensor */
export function requireTensor(op: string, input: string, value: Tensor): void {
  if (value instanceof Tensor) return
  const given = value === undefined ? 'left out' : typeName(value)
  throw new ShapeError(
    `${op}: ${input} is ${given}, and has to be a tensor, as engine.tensor(values, shape) makes one`,
  )
}

/** Runs `body`; where it throws, nobody will hold the buffers. */
function releasedOnError<T>(buffers: readonly NdBuffer[], body: () => T): T {
  try {
    return body()
  } catch (error) {
    for (const { storage } of buffers) storage.release()
    throw error
  }
}

/** A tensor over the same memory with another shape. */
export function applyView<Attrs>(op: ViewOp<Attrs>, x: Tensor, attrs: Attrs): Tensor {
  requireTensor(op.name, 'x', x)
  const { storage } = x.buffer
  const shape = op.outShape(x.shape, attrs)
  x.engine.gpu.recorder?.omit(op.name, 'its result is the same memory')
  const out = new Tensor(x.engine, { storage: storage.retain(), shape })
  if (x.engine.gradEnabled && x.requiresGrad) {
    out.requiresGrad = true
    out.node = new Node(op.name, x.engine.gpu.layer, [x], [], (_, dy) => [
      [x, { storage: dy.storage.retain(), shape: x.shape }],
    ])
  }
  return out
}

function engineOf(name: string, tensors: readonly (Tensor | null)[]): Engine {
  const engines = new Set(tensors.flatMap((tensor) => (tensor ? [tensor.engine] : [])))
  const [engine] = engines
  if (!engine || engines.size > 1)
    throw new AutogradError(
      `${name}: the inputs live on ${engines.size} different engines; they have to share one`,
    )
  return engine
}
