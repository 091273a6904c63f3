import { add, addScaled, at, dims2, dot, type NdArray, zeros } from './ndarray.ts'

/**
 * y[n, o] = bias[o] + sum over i of x[n, i] * weight[o, i]   (torch.nn.functional.linear: weight is
 * [out, in])
 */
export function linear(x: NdArray, weight: NdArray, bias: NdArray | null): NdArray {
  const [n, inputs] = dims2(x)
  const [outputs] = dims2(weight)
  const y = zeros([n, outputs])
  for (let ni = 0; ni < n; ni++) {
    for (let o = 0; o < outputs; o++) {
      y.data[ni * outputs + o] =
        (bias ? at(bias.data, o) : 0) + dot(x.data, ni * inputs, weight.data, o * inputs, inputs)
    }
  }
  return y
}

/** dx = dy weight, dweight = dy^T x, dbias = column sums of dy */
export function linearBackward(
  x: NdArray,
  weight: NdArray,
  dy: NdArray,
): { dx: NdArray; dweight: NdArray; dbias: NdArray } {
  const [n, inputs] = dims2(x)
  const [outputs] = dims2(weight)
  const dx = zeros(x.shape)
  const dweight = zeros(weight.shape)
  const dbias = zeros([outputs])
  for (let ni = 0; ni < n; ni++) {
    for (let o = 0; o < outputs; o++) {
      const g = at(dy.data, ni * outputs + o)
      add(dbias.data, o, g)
      addScaled(dx.data, ni * inputs, g, weight.data, o * inputs, inputs)
      addScaled(dweight.data, o * inputs, g, x.data, ni * inputs, inputs)
    }
  }
  return { dx, dweight, dbias }
}
