import { at } from '../base/at.ts'
import { ShapeError } from '../base/errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { type NdBuffer, type Shape, sameShape, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import { copyRows } from './copyRows.ts'
import { defineOp, type None } from './op.ts'

/** The first tensor, and up to three more. */
type Shapes = Readonly<Record<'a', Shape> & Record<'b' | 'c' | 'd', Shape | null>>

const names = ['a', 'b', 'c', 'd'] as const

/** Values of one image: its channels and everything behind them. */
const imageOf = (shape: Shape): number => sizeOf(shape.slice(1))

/** The inputs that are given, each with the values of an image that lie before it in y. */
function placesOf(shapes: Shapes): { name: (typeof names)[number]; shape: Shape; first: number }[] {
  let first = 0
  return names.flatMap((name) => {
    const shape = shapes[name]
    if (!shape) return []
    const place = { name, shape, first }
    first += imageOf(shape)
    return [place]
  })
}

/** Writes what comes in for one input out of dy. */
const gradientOf =
  (name: (typeof names)[number]) =>
  (gpu: Gpu, dy: NdBuffer, gradient: NdBuffer, _: None, __: None, shapes: Shapes): void => {
    const place = placesOf(shapes).find((one) => one.name === name)
    const length = imageOf(gradient.shape)
    copyRows(
      gpu,
      at(dy.shape, 0),
      length,
      { buffer: dy, row: imageOf(dy.shape), first: place?.first ?? Number.NaN },
      { buffer: gradient, row: length, first: 0 },
    )
  }

/** Images with the channels of all inputs, one input's after the other's. */
export const concat = defineOp<'a', None, None, 'b' | 'c' | 'd'>({
  name: 'concat',
  inputs: names,
  optional: ['b', 'c', 'd'],
  outShape(shapes) {
    const given = placesOf(shapes).map(({ shape }) => shape)
    const first = shapes.a
    if (first.length < 2)
      throw new ShapeError(`concat: tensors are [N, C, …], not ${showShape(first)}`)
    const other = given.find(
      (shape) =>
        shape.length !== first.length ||
        shape[0] !== first[0] ||
        !sameShape(shape.slice(2), first.slice(2)),
    )
    if (other)
      throw new ShapeError(
        'concat: tensors differ in their channels only, ' +
          `and these are ${showShape(first)} and ${showShape(other)}`,
      )
    const channels = given.reduce((sum, shape) => sum + at(shape, 1), 0)
    return [at(first, 0), channels, ...first.slice(2)]
  },
  cost(shapes) {
    const values = placesOf(shapes).reduce((sum, { shape }) => sum + sizeOf(shape), 0)
    return { flops: 0, bytes: 8 * values }
  },
  forward(gpu, inputs, y) {
    const shapeOf = (name: 'b' | 'c' | 'd') => inputs[name]?.shape ?? null
    const shapes = { a: inputs.a.shape, b: shapeOf('b'), c: shapeOf('c'), d: shapeOf('d') }
    for (const { name, shape, first } of placesOf(shapes)) {
      const buffer = inputs[name]
      const length = imageOf(shape)
      if (buffer)
        copyRows(
          gpu,
          at(shape, 0),
          length,
          { buffer, row: length, first: 0 },
          { buffer: y, row: imageOf(y.shape), first },
        )
    }
    return {}
  },
  backward: { a: gradientOf('a'), b: gradientOf('b'), c: gradientOf('c'), d: gradientOf('d') },
})
