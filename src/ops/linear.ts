import { ShapeError } from '../gpu/errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { elementKernel } from '../gpu/kernel.ts'
import { type NdBuffer, type Shape, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import { contract } from './contract.ts'
import { defineOp, keptAt, required } from './op.ts'
import { sumOuterInner } from './reduce.ts'

const plain = elementKernel<'rows' | 'cols'>('linear/product', (p) => p.rows * p.cols)

/** A matrix in memory: element (i, j) lies at i · strides[0] + j · strides[1]. */
interface Matrix {
  readonly src: NdBuffer
  readonly strides: readonly [number, number]
}

/**
 * y = x · weightᵀ + bias: x [N, in], weight [out, in], bias [out], y [N, out], as PyTorch's linear.
 * dx = dy · weight, dweight = dyᵀ · x, dbias = Σ_n dy.
 */
export const linear = defineOp<'x' | 'weight' | 'bias', Record<never, never>>({
  name: 'linear',
  inputs: ['x', 'weight', 'bias'],
  outShape({ x, weight, bias }) {
    if (x?.length !== 2) throw new ShapeError(`linear: x is [N, in], not ${showShape(x ?? [])}`)
    if (weight?.length !== 2) throw new ShapeError(`linear: weight is [out, in], not ${showShape(weight ?? [])}`)
    if (x[1] !== weight[1])
      throw new ShapeError(`linear: x ${showShape(x)} has ${x[1]} features, but weight ${showShape(weight)} takes ${weight[1]}`)
    if (bias && (bias.length !== 1 || bias[0] !== weight[0])) throw new ShapeError(`linear: bias is [${weight[0]}], not ${showShape(bias)}`)
    return [x[0] ?? 0, weight[0] ?? 0]
  },
  cost({ x, weight }) {
    const [batch = 0] = x ?? []
    return { flops: 2 * batch * sizeOf(weight ?? []), bytes: 4 * (sizeOf(x ?? []) + sizeOf(weight ?? []) + batch * (weight?.[0] ?? 0)) }
  },
  forward(gpu, inputs, y, _, needs) {
    const [x, weight] = [required('x', inputs.x), required('weight', inputs.weight)]
    const [batch, inputsCount, outputs] = extents(x.shape, weight.shape)
    product(
      gpu,
      batch,
      outputs,
      inputsCount,
      { src: x, strides: [inputsCount, 1] },
      { src: weight, strides: [1, inputsCount] },
      y,
      inputs.bias,
    )
    return [needs.weight ? x : null, needs.x ? weight : null]
  },
  backward(gpu, kept, dy, grads, _, shapes) {
    const [batch, inputsCount, outputs] = extents(shapes.x ?? [], shapes.weight ?? [])
    if (grads.x)
      product(
        gpu,
        batch,
        inputsCount,
        outputs,
        { src: dy, strides: [outputs, 1] },
        { src: keptAt(kept, 1), strides: [inputsCount, 1] },
        grads.x,
      )
    if (grads.weight)
      product(
        gpu,
        outputs,
        inputsCount,
        batch,
        { src: dy, strides: [1, outputs] },
        { src: keptAt(kept, 0), strides: [inputsCount, 1] },
        grads.weight,
      )
    if (grads.bias) sumOuterInner(gpu, dy, grads.bias, batch, outputs, 1)
  },
})

function extents(x: Shape, weight: Shape): readonly [number, number, number] {
  return [x[0] ?? 0, x[1] ?? 0, weight[0] ?? 0]
}

/** y [rows, cols] = a [rows, depth] · b [depth, cols] (+ bias, one value a column). */
function product(
  gpu: Gpu,
  rows: number,
  cols: number,
  depth: number,
  a: Matrix,
  b: Matrix,
  y: NdBuffer,
  bias: NdBuffer | null = null,
): void {
  if (!gpu.tile) {
    gpu.run(
      plain,
      { a: a.src.storage, b: b.src.storage, y: y.storage, ...(bias ? { bias: bias.storage } : {}) },
      { rows, cols, depth, a_row: a.strides[0], a_k: a.strides[1], b_k: b.strides[0], b_col: b.strides[1] },
      { BIAS: bias ? 1 : 0 },
    )
    return
  }
  contract(gpu, gpu.tile, {
    planes: 1,
    rows,
    columns: [1, 1, cols],
    depth: [1, 1, depth],
    a: { src: a.src, base: 0, planeStride: 0, rowStride: a.strides[0], strides: [0, 0, a.strides[1]] },
    b: { src: b.src, base: 0, planeStride: 0, columnStrides: [0, 0, b.strides[1]], strides: [0, 0, b.strides[0]] },
    y: { dst: y, base: 0, planeStride: 0, rowStride: cols, columnStrides: [0, 0, 1], bias, biasAlong: 'columns' },
  })
}
