import { at, type NdArray, zeros } from './ndarray.ts'

/** Where each row of the last dimension starts, and how long it is. */
function rows(x: NdArray): { starts: number[]; width: number } {
  const width = x.shape.at(-1) ?? 1
  return {
    starts: Array.from({ length: width > 0 ? x.data.length / width : 0 }, (_, row) => row * width),
    width,
  }
}

/**
 * log softmax over the last dimension: x - max - log(sum of exp(x - max)); subtracting the maximum
 * keeps exp in range
 */
export function logSoftmax(x: NdArray): NdArray {
  const y = zeros(x.shape)
  const { starts, width } = rows(x)
  for (const start of starts) {
    const row = x.data.subarray(start, start + width)
    const max = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
    const logSum = Math.log(row.reduce((sum, value) => sum + Math.exp(value - max), 0))
    for (let i = 0; i < width; i++) y.data[start + i] = at(row, i) - max - logSum
  }
  return y
}

/** y[i] = exp(x[i]) / sum over j of exp(x[j]), over the last dimension */
export function softmax(x: NdArray): NdArray {
  return { shape: [...x.shape], data: logSoftmax(x).data.map(Math.exp) }
}

/** dx[i] = y[i] * (dy[i] - sum over j of dy[j] * y[j]) */
export function softmaxBackward(x: NdArray, dy: NdArray): NdArray {
  const y = softmax(x)
  const dx = zeros(x.shape)
  const { starts, width } = rows(x)
  for (const start of starts) {
    let dot = 0
    for (let i = start; i < start + width; i++) dot += at(dy.data, i) * at(y.data, i)
    for (let i = start; i < start + width; i++) dx.data[i] = at(y.data, i) * (at(dy.data, i) - dot)
  }
  return dx
}
