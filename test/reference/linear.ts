import { add, at, dims2, type NdArray, zeros } from './ndarray.ts'

/** y[n, o] = bias[o] + sum over i of x[n, i] * weight[o, i]   (torch.nn.functional.linear: weight is [out, in]) */
export function linear(x: NdArray, weight: NdArray, bias: NdArray | null): NdArray {
  const [n, inputs] = dims2(x)
  const [outputs] = dims2(weight)
  const y = zeros([n, outputs])
  for (let ni = 0; ni < n; ni++) {
    for (let o = 0; o < outputs; o++) {
      let sum = bias ? at(bias.data, o) : 0
      for (let i = 0; i < inputs; i++) sum += at(x.data, ni * inputs + i) * at(weight.data, o * inputs + i)
      y.data[ni * outputs + o] = sum
    }
  }
  return y
}

/** dx = dy weight, dweight = dy^T x, dbias = column sums of dy */
export function linearBackward(x: NdArray, weight: NdArray, dy: NdArray): { dx: NdArray; dweight: NdArray; dbias: NdArray } {
  const [n, inputs] = dims2(x)
  const [outputs] = dims2(weight)
  const dx = zeros(x.shape)
  const dweight = zeros(weight.shape)
  const dbias = zeros([outputs])
  for (let ni = 0; ni < n; ni++) {
    for (let o = 0; o < outputs; o++) {
      const g = at(dy.data, ni * outputs + o)
      add(dbias.data, o, g)
      for (let i = 0; i < inputs; i++) {
        add(dx.data, ni * inputs + i, g * at(weight.data, o * inputs + i))
        add(dweight.data, o * inputs + i, g * at(x.data, ni * inputs + i))
      }
    }
  }
  return { dx, dweight, dbias }
}
