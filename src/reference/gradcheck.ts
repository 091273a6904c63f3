import { relativeError } from './agreement.ts'
import { add, at, type NdArray, zeros } from './ndarray.ts'

/**
 * The gradient of L = sum over i of f(x)[i] * dy[i] by central differences: (L(x + h e) - L(x - h
 * e)) / 2h for each element. With h = 1e-5 the cut-off error is h^2 f''' / 6 ~ 1e-10 and the
 * rounding error 2^-53 |L| / h ~ 1e-11.
 */
export function numericalGradient(
  f: (x: NdArray) => NdArray,
  x: NdArray,
  dy: NdArray,
  h = 1e-5,
): NdArray {
  const loss = (): number => f(x).data.reduce((sum, value, i) => sum + value * at(dy.data, i), 0)
  const gradient = zeros(x.shape)
  for (let i = 0; i < x.data.length; i++) {
    add(x.data, i, h)
    const above = loss()
    add(x.data, i, -2 * h)
    const below = loss()
    add(x.data, i, h)
    gradient.data[i] = (above - below) / (2 * h)
  }
  return gradient
}

/**
 * Throws unless `analytic` is the gradient of `f` at `x` to seven digits. Keep x away from kinks by
 * more than 1e-5.
 */
export function gradcheck(
  name: string,
  f: (x: NdArray) => NdArray,
  x: NdArray,
  dy: NdArray,
  analytic: NdArray,
): void {
  if (analytic.shape.join() !== x.shape.join())
    throw new Error(`${name}: gradient [${analytic.shape}] of an input [${x.shape}]`)
  const error = relativeError(analytic.data, numericalGradient(f, x, dy).data)
  if (!(error < 1e-7))
    throw new Error(
      `${name}: the gradient is off the finite differences by ${error.toExponential(2)}`,
    )
}
