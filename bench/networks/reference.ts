import { at } from '../../src/base/at.ts'
import type { StateDict } from '../../src/index.ts'
import type { NdArray } from '../arrays.ts'
import { convolutions, dense, type Plan } from './plan.ts'

/**
 * AlexNet's logits in float64 by plain loops, for images [N, 3, size, size]. In the innermost
 * loops, where `at` would take time, a wrong index gives NaN.
 */
export function logitsOf({ shape, data }: NdArray, weights: StateDict, plan: Plan): Float64Array {
  const count = at(shape, 0)
  const rows = Array.from({ length: count }, (_, n) => {
    const image = 3 * plan.size * plan.size
    let x: Volume = {
      channels: 3,
      extent: plan.size,
      data: Float64Array.from(data.subarray(n * image, (n + 1) * image)),
    }
    for (const [i, name] of convolutions.entries()) {
      x = convolve(x, weights, name, at(plan.stride, i), at(plan.padding, i))
      if (plan.pooled[i]) x = pool(x)
    }
    return dense.reduce((h, name, i) => product(h, weights, name, i < 2), x.data)
  })
  const classes = plan.classes
  const logits = new Float64Array(count * classes)
  for (const [n, row] of rows.entries()) logits.set(row, n * classes)
  return logits
}

interface Volume {
  readonly channels: number
  readonly extent: number
  readonly data: Float64Array
}

function array(weights: StateDict, name: string): { shape: readonly number[]; data: Float32Array } {
  const found = weights[name]
  if (!found) throw new Error(`no weights ${name}`)
  return found
}

/** Convolution and ReLU. The innermost loop runs along a row of the output, for speed. */
function convolve(
  { channels, extent, data }: Volume,
  weights: StateDict,
  name: string,
  stride: number,
  padding: number,
): Volume {
  const { shape, data: filter } = array(weights, `${name}.weight`)
  const { data: bias } = array(weights, `${name}.bias`)
  const [out, kernel] = [at(shape, 0), at(shape, 2)]
  const outExtent = Math.floor((extent + 2 * padding - kernel) / stride) + 1
  const y = new Float64Array(out * outExtent * outExtent)
  for (let o = 0; o < out; o++) {
    y.fill(at(bias, o), o * outExtent * outExtent, (o + 1) * outExtent * outExtent)
    for (let c = 0; c < channels; c++)
      for (let u = 0; u < kernel; u++)
        for (let v = 0; v < kernel; v++) {
          const w = at(filter, ((o * channels + c) * kernel + u) * kernel + v)
          const low = Math.max(0, Math.ceil((padding - v) / stride))
          const high = Math.min(outExtent - 1, Math.floor((extent - 1 + padding - v) / stride))
          for (let i = 0; i < outExtent; i++) {
            const row = i * stride + u - padding
            if (row < 0 || row >= extent) continue
            const from = (c * extent + row) * extent + v - padding
            const to = (o * outExtent + i) * outExtent
            for (let j = low; j <= high; j++)
              y[to + j] = (y[to + j] ?? Number.NaN) + w * (data[from + j * stride] ?? Number.NaN)
          }
        }
  }
  return { channels: out, extent: outExtent, data: y.map((value) => Math.max(value, 0)) }
}

/** 3x3 max-pool with stride 2. */
function pool({ channels, extent, data }: Volume): Volume {
  const outExtent = Math.floor((extent - 3) / 2) + 1
  const y = new Float64Array(channels * outExtent * outExtent).fill(Number.NEGATIVE_INFINITY)
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < outExtent; i++)
      for (let j = 0; j < outExtent; j++)
        for (let t = 0; t < 9; t++) {
          const [row, column] = [2 * i + Math.floor(t / 3), 2 * j + (t % 3)]
          const to = (c * outExtent + i) * outExtent + j
          y[to] = Math.max(at(y, to), at(data, (c * extent + row) * extent + column))
        }
  return { channels, extent: outExtent, data: y }
}

function product(
  x: Float64Array,
  weights: StateDict,
  name: string,
  rectified: boolean,
): Float64Array {
  const { shape, data } = array(weights, `${name}.weight`)
  const { data: bias } = array(weights, `${name}.bias`)
  const [out, inputs] = [at(shape, 0), at(shape, 1)]
  return Float64Array.from({ length: out }, (_, o) => {
    let sum = at(bias, o)
    for (let k = 0; k < inputs; k++)
      sum += (data[o * inputs + k] ?? Number.NaN) * (x[k] ?? Number.NaN)
    return rectified ? Math.max(sum, 0) : sum
  })
}
