import { ShapeError } from '../base/errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { elementKernel } from '../gpu/kernels/kernel.ts'
import { type Part, partsOf, windowOf } from '../gpu/memory/windows.ts'
import {
  type NdBuffer,
  type NdWindow,
  type Shape,
  scratch,
  showShape,
  sizeOf,
} from '../tensor/ndbuffer.ts'
import { add } from './add.ts'
import { contract } from './contract.ts'
import { defineOp, keptAt, required } from './op.ts'
import { isOuter, outerProduct } from './outer.ts'
import { sumOuterInner } from './reduce.ts'

const plain = elementKernel<'rows' | 'cols' | 'depth'>('linear/product', (p) => p.rows * p.cols, {
  cost: ({ rows, cols, depth }) => ({
    flops: 2 * rows * cols * depth,
    bytes: 4 * (rows * depth + depth * cols + rows * cols),
  }),
})

/** A matrix in memory: element (i, j) lies at base + i · strides[0] + j · strides[1]. */
interface Matrix {
  readonly src: NdWindow
  readonly base?: number
  readonly strides: readonly [number, number]
}

/**
 * Where a product goes: element (i, j) at base + i · rowStride + j; a bias, from its element
 * biasBase on, adds one value a column; max(·, 0) last.
 */
interface Target {
  readonly dst: NdWindow
  readonly base?: number
  readonly rowStride: number
  readonly bias?: NdBuffer | null
  readonly biasBase?: number
  readonly relu?: boolean
}

export interface LinearAttrs {
  /**
   * Whether the kernel stores max(y, 0). Gradients are of the sum: what comes back through the ReLU
   * is its own operator's. Default false.
   */
  readonly relu?: boolean
}

/**
 * y = x · weightᵀ + bias: x [N, in], weight [out, in], bias [out], y [N, out], as PyTorch's linear.
 * dx = dy · weight, dweight = dyᵀ · x, dbias = Σ_n dy.
 * A weight larger than one binding is read and written some rows at a time: columns of y, rows of
 * dweight, and for dx parts of the sum, which are added at the end.
 */
export const linear = defineOp<'x' | 'weight' | 'bias', LinearAttrs>({
  name: 'linear',
  inputs: ['x', 'weight', 'bias'],
  outShape({ x, weight, bias }) {
    if (x?.length !== 2) throw new ShapeError(`linear: x is [N, in], not ${showShape(x ?? [])}`)
    if (weight?.length !== 2)
      throw new ShapeError(`linear: weight is [out, in], not ${showShape(weight ?? [])}`)
    if (x[1] !== weight[1])
      throw new ShapeError(
        `linear: x ${showShape(x)} has ${x[1]} features, but weight ${showShape(weight)} takes ${weight[1]}`,
      )
    if (bias && (bias.length !== 1 || bias[0] !== weight[0]))
      throw new ShapeError(`linear: bias is [${weight[0]}], not ${showShape(bias)}`)
    return [x[0] ?? 0, weight[0] ?? 0]
  },
  cost({ x, weight }) {
    const [batch = 0] = x ?? []
    return {
      flops: 2 * batch * sizeOf(weight ?? []),
      bytes: 4 * (sizeOf(x ?? []) + sizeOf(weight ?? []) + batch * (weight?.[0] ?? 0)),
    }
  },
  forward(gpu, inputs, y, { relu = false }, needs) {
    const [x, weight] = [required('x', inputs.x), required('weight', inputs.weight)]
    const [batch, inputsCount, outputs] = extents(x.shape, weight.shape)
    const parts = rowsOf(gpu, weight)
    for (const { first, count, src, base } of parts)
      product(
        gpu,
        [batch, count, inputsCount],
        { src: x, strides: [inputsCount, 1] },
        { src, base, strides: [1, inputsCount] },
        {
          dst: y,
          base: first,
          rowStride: outputs,
          bias: inputs.bias,
          biasBase: first,
          relu,
        },
      )
    return [needs.weight ? x : null, needs.x ? weight : null]
  },
  backward(gpu, kept, dy, grads, _, shapes) {
    const [batch, inputsCount, outputs] = extents(shapes.x ?? [], shapes.weight ?? [])
    if (grads.x) backwardInput(gpu, dy, keptAt(kept, 1), grads.x)
    if (grads.weight) {
      const x = keptAt(kept, 0)
      for (const { first, count, src, base } of rowsOf(gpu, grads.weight)) {
        if (gpu.tilings && isOuter(batch, inputsCount, base)) {
          outerProduct(gpu, gpu.tilings, dy, x, { src, base, first, count })
          continue
        }
        product(
          gpu,
          [count, inputsCount, batch],
          { src: dy, base: first, strides: [1, outputs] },
          { src: x, strides: [inputsCount, 1] },
          { dst: src, base, rowStride: inputsCount },
        )
      }
    }
    if (grads.bias) sumOuterInner(gpu, dy, grads.bias, batch, outputs, 1)
  },
})

function extents(x: Shape, weight: Shape): readonly [number, number, number] {
  return [x[0] ?? 0, x[1] ?? 0, weight[0] ?? 0]
}

/**
 * dx = dy · weight. Where the weight comes in parts, so does the sum over its rows; the sums so far
 * and the next part take turns in two buffers.
 */
function backwardInput(gpu: Gpu, dy: NdBuffer, weight: NdBuffer, dx: NdBuffer): void {
  const [batch, inputsCount, outputs] = extents(dx.shape, weight.shape)
  const parts = rowsOf(gpu, weight)
  const spare = parts.slice(0, 3).map(() => (parts.length > 1 ? scratch(gpu, dx.shape) : dx))
  let [sum = dx, next = dx] = spare
  for (const [i, { first, count, src, base }] of parts.entries()) {
    const target = i === 0 ? sum : (spare.at(-1) ?? dx)
    product(
      gpu,
      [batch, inputsCount, count],
      { src: dy, base: first, strides: [outputs, 1] },
      { src, base, strides: [inputsCount, 1] },
      { dst: target, rowStride: inputsCount },
    )
    if (i === 0) continue
    const result = i === parts.length - 1 ? dx : next
    add(gpu, sum, target, result)
    ;[sum, next] = [result, sum]
  }
}

/**
 * A weight's rows, as many at a time as one binding holds, and where in their window they begin.
 */
function rowsOf(
  gpu: Gpu,
  weight: NdBuffer,
): (Part & { readonly src: NdWindow; readonly base: number })[] {
  const [outputs = 0, inputsCount = 0] = weight.shape
  return partsOf(gpu.bindingLimits, outputs, 4 * inputsCount).map((part) => {
    const { storage, base } = windowOf(gpu.bindingLimits, weight.storage, part, 4 * inputsCount)
    return { ...part, src: { storage, shape: [part.count, inputsCount] }, base }
  })
}

/** y [rows, cols] = a [rows, depth] · b [depth, cols] (+ bias). */
function product(
  gpu: Gpu,
  [rows, cols, depth]: readonly [number, number, number],
  a: Matrix,
  b: Matrix,
  y: Target,
): void {
  const bias = y.bias ?? null
  if (!gpu.tilings) {
    gpu.run(
      plain,
      {
        a: a.src.storage,
        b: b.src.storage,
        y: y.dst.storage,
        ...(bias ? { bias: bias.storage } : {}),
      },
      {
        rows,
        cols,
        depth,
        a_base: a.base ?? 0,
        a_row: a.strides[0],
        a_k: a.strides[1],
        b_base: b.base ?? 0,
        b_k: b.strides[0],
        b_col: b.strides[1],
        y_base: y.base ?? 0,
        y_row: y.rowStride,
        bias_base: y.biasBase ?? 0,
        relu: y.relu ? 1 : 0,
      },
      { BIAS: bias ? 1 : 0 },
    )
    return
  }
  const [bBase, [bDepth, bColumn]] = [b.base ?? 0, b.strides]
  const inFours = (count: number, step: number, other: number) =>
    step === 1 && count % 4 === 0 && bBase % 4 === 0 && other % 4 === 0
  const fours = inFours(cols, bColumn, bDepth)
    ? 'columns'
    : inFours(depth, bDepth, bColumn)
      ? 'depth'
      : 'nothing'
  const [inColumns, inDepth] = [fours === 'columns' ? 4 : 1, fours === 'depth' ? 4 : 1]
  contract(gpu, gpu.tilings.select, {
    planes: 1,
    rows,
    fours,
    columns: [1, 1, cols / inColumns],
    depth: [1, 1, depth / inDepth],
    a: {
      src: a.src,
      base: a.base ?? 0,
      planeStride: 0,
      rowStride: a.strides[0],
      strides: [0, 0, inDepth * a.strides[1]],
      innerStride: a.strides[1],
    },
    b: {
      src: b.src,
      base: bBase,
      planeStride: 0,
      columnStrides: [0, 0, inColumns * bColumn],
      strides: [0, 0, inDepth * bDepth],
    },
    y: {
      dst: y.dst,
      base: y.base ?? 0,
      planeStride: 0,
      rowStride: y.rowStride,
      columnStrides: [0, 0, inColumns],
      innerStride: 1,
      bias,
      biasAlong: 'columns',
      biasBase: y.biasBase,
      relu: y.relu ?? false,
    },
  })
}
