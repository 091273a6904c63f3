/**
 * What every operator computes: plain float64 loops without a GPU, and everything else that judges
 * it. test/reference/*.test.ts proves them.
 */
import type * as functions from '../autograd/functions.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { AnySpecification } from './specification.ts'
import * as table from './table.ts'

/** The functions that compute on a tensor; `flatten` has no kernel, it only names memory anew. */
type Operator = Exclude<
  {
    [name in keyof typeof functions]: (typeof functions)[name] extends (
      x: Tensor,
      ...rest: never[]
    ) => Tensor
      ? name
      : never
  }[keyof typeof functions],
  'flatten'
>

/** Every specification by its operator's name. A function without one does not compile here. */
export const specifications: Readonly<Record<string, AnySpecification>> = table satisfies Readonly<
  Record<Operator, AnySpecification>
>
