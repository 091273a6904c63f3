import { at, type NdArray, zeros } from './ndarray.ts'

/** y = max(x, 0); NaN stays NaN, as in PyTorch */
export function relu(x: NdArray): NdArray {
  return { shape: [...x.shape], data: x.data.map((value) => Math.max(value, 0)) }
}

/** dx = dy where x > 0, else 0 (0 at x = 0) */
export function reluBackward(x: NdArray, dy: NdArray): NdArray {
  const dx = zeros(x.shape)
  for (let i = 0; i < dx.data.length; i++) dx.data[i] = at(x.data, i) > 0 ? at(dy.data, i) : 0
  return dx
}
