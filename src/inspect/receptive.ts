/** Which pixels of the image a number of a map sees, from kernels, strides and padding. */
import { at } from '../base/at.ts'
import { resultShape } from './graph.ts'
import type { InspectedCall, Inspection } from './inspection.ts'

/** Rows or columns, both ends included. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** A part of the image. */
export interface ReceptiveField {
  /** The part that lies on the image. */
  readonly rows: Span
  readonly columns: Span
  /** Its height and width with what lies on padding. */
  readonly height: number
  readonly width: number
}

type Recorded = Pick<Inspection, 'calls' | 'tensors' | 'preprocess'>
type Axis = 0 | 1

const pair = (value: unknown): readonly [number, number] =>
  Array.isArray(value) ? [Number(value[0]), Number(value[1])] : [Number(value), Number(value)]

/** What part of its input an operator reads for a part of its result, along one axis. */
function inputSpan(
  { tensors }: Recorded,
  call: InspectedCall,
  span: Span,
  axis: Axis,
  extents: { readonly input: number; readonly output: number | null },
): Span {
  const { operator, attrs } = call
  const whole = { from: 0, to: extents.input - 1 }
  if (operator === 'conv2d' || operator === 'maxPool2d') {
    const filter = tensors[call.tensors.weight ?? '']?.shape.slice(2) ?? attrs.kernel
    const kernel = pair(filter)[axis]
    const [stride, padding] = [pair(attrs.stride)[axis], pair(attrs.padding)[axis]]
    return {
      from: span.from * stride - padding,
      to: span.to * stride - padding + kernel - 1,
    }
  }
  if (operator === 'adaptiveAvgPool2d' && extents.output !== null) {
    const scale = extents.input / extents.output
    return { from: Math.floor(span.from * scale), to: Math.ceil((span.to + 1) * scale) - 1 }
  }
  return extents.output === extents.input ? span : whole
}

const extentOf = (shape: readonly number[] | null, axis: Axis): number | null =>
  shape?.length === 4 ? at(shape, 2 + axis) : null

/** The part of the image that a part of a call's result needs, back through every path. */
function imageSpan(recorded: Recorded, start: number, span: Span, axis: Axis): Span {
  const needed = new Map([[start, span]])
  const add = (index: number, { from, to }: Span) => {
    const known = needed.get(index)
    needed.set(index, {
      from: Math.min(from, known?.from ?? from),
      to: Math.max(to, known?.to ?? to),
    })
  }
  for (let index = start; index >= 0; index--) {
    const wanted = needed.get(index)
    if (!wanted) continue
    const call = at(recorded.calls, index)
    const output = extentOf(resultShape(recorded, call), axis)
    for (const read of call.reads) {
      const input =
        read < 0
          ? recorded.preprocess.size
          : extentOf(resultShape(recorded, at(recorded.calls, read)), axis)
      // A vector has seen all that was flattened into it.
      add(
        read,
        input === null
          ? { from: 0, to: 0 }
          : inputSpan(recorded, call, wanted, axis, { input, output }),
      )
    }
  }
  return needed.get(-1) ?? { from: 0, to: recorded.preprocess.size - 1 }
}

/**
 * The part of the image that a number of a call's result is computed from. In a network with
 * branches it is the smallest rectangle around what all of them see.
 * @param call the index of a forward call in `Inspection.calls`
 * @example receptiveField(inspection, 0, [3, 5]).width // 11 after AlexNet's first convolution
 */
export function receptiveField(
  recorded: Recorded,
  call: number,
  [row, column]: readonly [number, number],
): ReceptiveField {
  const last = recorded.preprocess.size - 1
  const clip = ({ from, to }: Span): Span => ({
    from: Math.min(last, Math.max(0, from)),
    to: Math.min(last, Math.max(0, to)),
  })
  const rows = imageSpan(recorded, call, { from: row, to: row }, 0)
  const columns = imageSpan(recorded, call, { from: column, to: column }, 1)
  return {
    rows: clip(rows),
    columns: clip(columns),
    height: rows.to - rows.from + 1,
    width: columns.to - columns.from + 1,
  }
}
