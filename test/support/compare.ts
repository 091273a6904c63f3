import { compareTensors, coordinates, type Tolerance } from '../../src/reference/agreement.ts'

export {
  coordinates,
  exact,
  relativeError,
  sumTolerance,
  type Tolerance,
} from '../../src/reference/agreement.ts'

/**
 * Throws unless `actual` is `expected` within the tolerance, as `compareTensors` has it. The message names
 * the first wrong elements by their coordinates, and the worst one.
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  shape: readonly number[],
  options: Tolerance & { readonly name?: string } = {},
): void {
  const { relative = 1e-5, absolute = 0, name = 'tensor' } = options
  const n = shape.reduce((product, extent) => product * extent, 1)
  if (actual.length !== n || expected.length !== n) {
    throw new Error(
      `${name}: shape [${shape}] has ${n} elements, but actual has ${actual.length} and expected ${expected.length}`,
    )
  }
  const found = compareTensors(actual, expected, { relative, absolute })
  if (found.ok) return
  const line = (i: number): string => {
    const [a, b] = [actual[i] ?? Number.NaN, expected[i] ?? Number.NaN]
    return `[${coordinates(i, shape).join(', ')}] got ${a}, expected ${b}, off by ${Math.abs(a - b).toPrecision(3)}`
  }
  const lines = [
    `${name}: shape [${shape.join(', ')}], ${found.off} of ${n} elements off; relative error ${found.relative.toExponential(2)}, allowed ${relative}` +
      (absolute > 0 ? ` and ${absolute} absolute` : '') +
      (found.wholeIsOff ? '' : ' (the norm is within it, single elements are not)'),
    ...found.bad.map((i) => `  ${line(i)}`),
  ]
  if (found.off > found.bad.length) lines.push(`  and ${found.off - found.bad.length} more`)
  if (found.worst) lines.push(`  worst: ${line(found.worst.index)}`)
  throw new Error(lines.join('\n'))
}
