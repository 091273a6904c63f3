import { ShapeError } from '../base/errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { elementKernel } from '../gpu/kernels/kernel.ts'
import { type Part, partsOf, windowOf } from '../gpu/memory/windows.ts'
import {
  type NdBuffer,
  type NdWindow,
  type Shape,
  type Shape2,
  type Shape3,
  scratch,
  shape2,
  showShape,
} from '../tensor/ndbuffer.ts'
import { addInto } from './add.ts'
import { contract } from './contract.ts'
import { type ByInput, defineOp } from './op.ts'
import { isOuter, outerProduct } from './outerProduct.ts'
import { sumOuterInner } from './reduce.ts'
import { relu } from './relu.ts'

const plain = elementKernel<'rows' | 'cols' | 'depth'>('linear/product', (p) => p.rows * p.cols, {
  cost: ({ rows, cols, depth }) => ({
    flops: 2 * rows * cols * depth,
    bytes: 4 * (rows * depth + depth * cols + rows * cols),
  }),
})

/** A matrix in memory: element (i, j) is at base + i · strides[0] + j · strides[1]. */
interface Matrix {
  readonly src: NdWindow
  readonly base: number
  readonly strides: Shape2
}

/**
 * Where a product is written: element (i, j) at base + i · rowStride + j. A bias adds one value to
 * each column, from its element `base` on; a ReLU is applied last.
 */
interface Target {
  readonly dst: NdWindow
  readonly base: number
  readonly rowStride: number
  readonly bias?: { readonly values: NdBuffer; readonly base: number } | null
  readonly relu?: boolean
}

export interface LinearAttrs {
  /** Whether a ReLU is applied to the result: the kernel stores max(y, 0). Default false. */
  readonly relu?: boolean
}

type Shapes = ByInput<'x' | 'weight', 'bias', Shape>

/** What the gradients of x and weight are computed from. */
type Kept = {
  readonly x: { readonly weight: NdBuffer }
  readonly weight: { readonly x: NdBuffer }
}

/**
 * y = x · weightᵀ + bias: x [N, in], weight [out, in], bias [out], y [N, out], as PyTorch's linear.
 * dx = dy · weight, dweight = dyᵀ · x, dbias = Σ_n dy.
 * A weight larger than one binding is read and written some rows at a time: columns of y, rows of
 * dweight, and for dx parts of the sum, which are added at the end.
 */
export const linear = defineOp<'x' | 'weight', LinearAttrs, Kept, 'bias'>({
  name: 'linear',
  inputs: ['x', 'weight', 'bias'],
  optional: ['bias'],
  outShape(shapes) {
    const { batch, outputs } = checked(shapes)
    return [batch, outputs]
  },
  cost(shapes) {
    const { batch, inputs, outputs } = checked(shapes)
    return {
      flops: 2 * batch * inputs * outputs,
      bytes: 4 * (batch * inputs + inputs * outputs + batch * outputs),
    }
  },
  activation: (attrs) => (attrs.relu ? relu : null),
  forward(gpu, { x, weight, bias }, y, attrs, needs) {
    const { batch, inputs, outputs } = checked({ x: x.shape, weight: weight.shape, bias: null })
    for (const { first, count, src, base } of rowsOf(gpu, weight))
      product(
        gpu,
        [batch, count, inputs],
        { src: x, base: 0, strides: [inputs, 1] },
        { src, base, strides: [1, inputs] },
        {
          dst: y,
          base: first,
          rowStride: outputs,
          bias: bias && { values: bias, base: first },
          relu: attrs.relu,
        },
      )
    return { x: needs.x ? { weight } : null, weight: needs.weight ? { x } : null }
  },
  backward: {
    x: (gpu, dy, dx, { weight }) => backwardInput(gpu, dy, weight, dx),
    weight(gpu, dy, dweight, { x }, _, shapes) {
      const { batch, inputs, outputs } = checked(shapes)
      for (const { first, count, src, base } of rowsOf(gpu, dweight)) {
        if (gpu.tilings && isOuter(batch, inputs, base)) {
          outerProduct(gpu, gpu.tilings, dy, x, { src, base, first, count })
          continue
        }
        product(
          gpu,
          [count, inputs, batch],
          { src: dy, base: first, strides: [1, outputs] },
          { src: x, base: 0, strides: [inputs, 1] },
          { dst: src, base, rowStride: inputs },
        )
      }
    },
    bias(gpu, dy, dbias, _, __, shapes) {
      const { batch, outputs } = checked(shapes)
      sumOuterInner(gpu, dy, dbias, batch, outputs, 1)
    },
  },
})

/** The product's extents. @throws ShapeError where the shapes do not fit */
function checked({ x, weight, bias }: Shapes) {
  const [batch, inputs] = shape2(x, 'linear: x is [N, in]')
  const [outputs, taken] = shape2(weight, 'linear: weight is [out, in]')
  if (inputs !== taken)
    throw new ShapeError(
      `linear: x ${showShape(x)} has ${inputs} features, but weight ${showShape(weight)} ` +
        `takes ${taken}`,
    )
  if (bias && (bias.length !== 1 || bias[0] !== outputs))
    throw new ShapeError(`linear: bias is [${outputs}], not ${showShape(bias)}`)
  return { batch, inputs, outputs }
}

/**
 * dx = dy · weight. Where the weight comes in parts, each part gives one term of a sum. The sum so
 * far alternates between dx and another buffer, so that the last one is dx.
 */
function backwardInput(gpu: Gpu, dy: NdBuffer, weight: NdBuffer, dx: NdBuffer): void {
  const { batch, inputs, outputs } = checked({ x: dx.shape, weight: weight.shape, bias: null })
  const parts = rowsOf(gpu, weight)
  const last = parts.length - 1
  const [term, other] = last > 0 ? [scratch(gpu, dx.shape), scratch(gpu, dx.shape)] : [dx, dx]
  const sum = (i: number) => ((last - i) % 2 === 0 ? dx : other)
  for (const [i, { first, count, src, base }] of parts.entries()) {
    product(
      gpu,
      [batch, inputs, count],
      { src: dy, base: first, strides: [outputs, 1] },
      { src, base, strides: [inputs, 1] },
      { dst: i === 0 ? sum(0) : term, base: 0, rowStride: inputs },
    )
    if (i > 0) addInto(gpu, sum(i - 1), term, sum(i))
  }
}

/** A weight's rows, as many at a time as one binding holds, and where they start in its window. */
function rowsOf(
  gpu: Gpu,
  weight: NdBuffer,
): (Part & { readonly src: NdWindow; readonly base: number })[] {
  const [outputs, inputs] = shape2(weight.shape, 'linear: weight is [out, in]')
  return partsOf(gpu.bindingLimits, outputs, 4 * inputs).map((part) => {
    const { storage, base } = windowOf(gpu.bindingLimits, weight.storage, part, 4 * inputs)
    return { ...part, src: { storage, shape: [part.count, inputs] }, base }
  })
}

/** y [rows, cols] = a [rows, depth] · b [depth, cols] (+ bias). */
function product(
  gpu: Gpu,
  [rows, cols, depth]: Shape3,
  a: Matrix,
  b: Matrix,
  { bias = null, relu: rectify = false, ...y }: Target,
): void {
  const biasBase = bias ? bias.base : 0
  const [[aRow, aDepth], [bDepth, bColumn]] = [a.strides, b.strides]
  if (!gpu.tilings) {
    gpu.run(
      plain,
      {
        a: a.src.storage,
        b: b.src.storage,
        y: y.dst.storage,
        ...(bias ? { bias: bias.values.storage } : {}),
      },
      {
        rows,
        cols,
        depth,
        a_base: a.base,
        a_row: aRow,
        a_k: aDepth,
        b_base: b.base,
        b_k: bDepth,
        b_col: bColumn,
        y_base: y.base,
        y_row: y.rowStride,
        bias_base: biasBase,
        relu: rectify ? 1 : 0,
      },
      { BIAS: bias ? 1 : 0 },
    )
    return
  }
  const inVectors = (count: number, step: number, other: number) =>
    step === 1 && count % 4 === 0 && b.base % 4 === 0 && other % 4 === 0
  const interleaved = inVectors(cols, bColumn, bDepth)
    ? 'columns'
    : inVectors(depth, bDepth, bColumn)
      ? 'depth'
      : 'none'
  const [inColumns, inDepth] = [interleaved === 'columns' ? 4 : 1, interleaved === 'depth' ? 4 : 1]
  contract(gpu, gpu.tilings.select, {
    planes: 1,
    rows,
    interleaved,
    columns: [1, 1, cols / inColumns],
    depth: [1, 1, depth / inDepth],
    a: {
      src: a.src,
      base: a.base,
      planeStride: 0,
      rowStride: aRow,
      strides: [0, 0, inDepth * aDepth],
      elementStride: aDepth,
    },
    b: {
      src: b.src,
      base: b.base,
      planeStride: 0,
      columnStrides: [0, 0, inColumns * bColumn],
      strides: [0, 0, inDepth * bDepth],
    },
    y: {
      dst: y.dst,
      base: y.base,
      planeStride: 0,
      rowStride: y.rowStride,
      columnStrides: [0, 0, inColumns],
      elementStride: 1,
      bias: bias?.values,
      biasAlong: 'columns',
      biasBase,
      relu: rectify,
    },
  })
}
