/** The specification of an operator on single elements, from its formula. */
import { exact, type Tolerance } from './agreement.ts'
import { kept, read, valued } from './explanation.ts'
import { at, type NdArray } from './ndarray.ts'
import { between, extents } from './random.ts'
import type { AnySpecification, Arrays, Case, Specification } from './specification.ts'

interface Formula<Attrs extends object> {
  readonly op: AnySpecification['op']
  readonly value: (x: number, attrs: Attrs) => number
  /** The gradient of x for a gradient dy that comes in. */
  readonly gradient: (x: number, dy: number, attrs: Attrs) => number
  /** 'min(max(x, 0), 6)'. */
  readonly rule: (attrs: Attrs) => string
  /** Attributes, and any of them. */
  readonly attrs: Attrs
  readonly drawAttrs?: (random: Parameters<Specification<Arrays<'x'>, Attrs>['draw']>[0]) => Attrs
  /** Elements at which its pieces meet. */
  readonly borders: readonly number[]
  readonly tolerance?: { readonly reason: string; readonly of: Tolerance }
}

const chosen = { reason: 'Values are chosen, not computed.', of: exact }

export function pointwise<Attrs extends object>({
  op,
  value,
  gradient,
  rule,
  attrs,
  drawAttrs = () => attrs,
  borders,
  tolerance = chosen,
}: Formula<Attrs>): Specification<Arrays<'x'>, Attrs> {
  const shaped = (...x: number[]): Case<Arrays<'x'>, Attrs> => ({ shapes: { x }, attrs })
  const holding = (...x: number[]) => ({ ...shaped(x.length), values: { x } })
  const map = ({ shape, data }: NdArray, of: (x: number, i: number) => number): NdArray => ({
    shape: [...shape],
    data: data.map(of),
  })
  return {
    op,
    kernels: ['fast'],
    forward: ({ x }, own) => map(x, (one) => value(one, own)),
    backward: ({ x }, dy, own) => ({
      x: map(x, (one, i) => gradient(one, at(dy.data, i), own)),
    }),
    tolerance: { reason: tolerance.reason, of: () => tolerance.of },
    edges: {
      'both signs': { ...shaped(3, 7), differences: true },
      'where its pieces meet, and zeros of both signs': holding(...borders, 0, -0),
      'infinity, and NaN, which stays': holding(Number.POSITIVE_INFINITY, 3.4e38, Number.NaN),
      'numbers of ten thousand': { ...shaped(5, 7), scale: 1e4 },
      'one number': shaped(1),
      'one number more than a workgroup': shaped(257),
      'four dimensions': shaped(2, 3, 5, 7),
    },
    draw: (random) => ({
      ...shaped(...extents(random, between(random, 1, 4), 9)),
      attrs: drawAttrs(random),
      scale: between(random, 1, 8),
    }),
    large: shaped(2 ** 20),
    explain(call, position) {
      const x = read(kept(call, 'x'), position)
      const result = value(x, call.attrs)
      return valued({
        formula: `y[${position.join(', ')}] = ${rule(call.attrs)}`,
        names: ['x', 'factor'],
        terms: [{ a: x, b: x === 0 ? 0 : result / x, aAt: position, bAt: [] }],
        result,
      })
    },
  }
}
