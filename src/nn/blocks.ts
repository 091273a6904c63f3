import { add, concat } from '../autograd/functions.ts'
import { at } from '../base/at.ts'
import type { Shape } from '../tensor/ndbuffer.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { contextOf, runChain } from './chain.ts'
import { type LayerContext, Module } from './module.ts'

/** The shape after modules that run one after the other. */
const shapeAfter = (modules: readonly Module[], shape: Shape): Shape =>
  modules.reduce((here, module) => module.outShape(here), shape)

/** Runs each branch on x, and joins what they made, which the tape alone needs from then on. */
function joined<T extends readonly Tensor[]>(
  branches: { readonly [i in keyof T]: readonly Module[] },
  x: Tensor,
  context: LayerContext,
  join: (made: T) => Tensor,
): Tensor {
  const made: Tensor[] = []
  let first = 0 // no two modules of the block have the same place, and so the same seed
  try {
    for (const branch of branches) {
      const before = first
      made.push(runChain(branch, x, (i) => contextOf(context, before + i)))
      first += branch.length
    }
    const y = join(made as readonly Tensor[] as T)
    for (const one of made) if (one !== x) one.free()
    return y
  } catch (error) {
    for (const one of made) if (one !== x) one.dispose()
    throw error
  }
}

/**
 * Modules that run one after the other.
 * @example new Sequential('classifier', [new Dropout('classifier.0', 0.2), head])
 */
export class Sequential extends Module {
  readonly #modules: readonly Module[]

  constructor(name: string, modules: readonly Module[]) {
    super(name)
    this.#modules = modules
  }

  get description(): string {
    return this.#modules.map(({ description }) => description).join(', ')
  }

  override children(): readonly Module[] {
    return this.#modules
  }

  outShape(shape: Shape): Shape {
    return shapeAfter(this.#modules, shape)
  }

  forward(x: Tensor, context: LayerContext): Tensor {
    return runChain(this.#modules, x, (i) => contextOf(context, i))
  }
}

/** The two ways through a residual block, and whether a ReLU follows where they meet. */
export interface ResidualParts {
  readonly main: readonly Module[]
  /** Empty: x itself. */
  readonly skip?: readonly Module[]
  /** Default true. */
  readonly relu?: boolean
}

/**
 * y = max(main(x) + skip(x), 0): a residual block. Without `relu`, as in MobileNetV2, it is the sum
 * alone. Source: He et al., "Deep Residual Learning for Image Recognition", 2015, arXiv:1512.03385.
 * @example new Residual('layer1.0', { main: [conv1, bn1, relu1, conv2, bn2] })
 */
export class Residual extends Module {
  readonly #main: readonly Module[]
  readonly #skip: readonly Module[]
  readonly #relu: boolean

  constructor(name: string, { main, skip = [], relu = true }: ResidualParts) {
    super(name)
    this.#main = main
    this.#skip = skip
    this.#relu = relu
  }

  get description(): string {
    const described = (modules: readonly Module[]) =>
      modules.map(({ description }) => description).join(', ')
    return `${described(this.#main)}, plus ${described(this.#skip) || 'its input'}`
  }

  override children(): readonly Module[] {
    return [...this.#main, ...this.#skip]
  }

  outShape(shape: Shape): Shape {
    return shapeAfter(this.#main, shape)
  }

  forward(x: Tensor, context: LayerContext): Tensor {
    return joined<[Tensor, Tensor]>([this.#main, this.#skip], x, context, ([main, skip]) =>
      add(main, skip, { relu: this.#relu }),
    )
  }
}

/**
 * The channels of several ways through a block, one way's after the other's: the expanding half of
 * a fire module (Iandola et al. 2016, arXiv:1602.07360), or an Inception block.
 * @example new Branches('features.3.expand', [[expand1x1, relu1], [expand3x3, relu3]])
 */
export class Branches extends Module {
  readonly #branches: readonly (readonly Module[])[]

  constructor(name: string, branches: readonly (readonly Module[])[]) {
    super(name)
    this.#branches = branches
  }

  get description(): string {
    const described = (modules: readonly Module[]) =>
      modules.map(({ description }) => description).join(', ')
    return this.#branches.map(described).join(' beside ')
  }

  override children(): readonly Module[] {
    return this.#branches.flat()
  }

  outShape(shape: Shape): Shape {
    const shapes = this.#branches.map((branch) => shapeAfter(branch, shape))
    const channels = shapes.reduce((sum, one) => sum + at(one, 0), 0)
    return [channels, ...at(shapes, 0).slice(1)]
  }

  forward(x: Tensor, context: LayerContext): Tensor {
    return joined(this.#branches, x, context, concat)
  }
}
