import { ShapeError, UsageError, WeightsError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { option, optionText } from '../base/optionText.ts'
import { namedArrays, type StateDict } from '../base/stateDict.ts'
import { checkValues, type Shape, sameShape, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import type { Engine, Tensor } from '../tensor/tensor.ts'
import type { ModuleBuffer } from './buffer.ts'
import { runChain, seedOf } from './chain.ts'
import { Dropout, Softmax } from './layers.ts'
import type { ForwardOptions, Module } from './module.ts'
import type { Parameter } from './parameter.ts'
import type { Preprocess } from './preprocess.ts'

/** What a network is built from; a run folder keeps it, so that it can be built again. */
export interface Architecture {
  readonly variant: string
  /** The five convolutions' widths. */
  readonly channels: readonly number[]
  /** The width of both hidden FC layers. */
  readonly hidden: number
  readonly dropout: number
  readonly classes: number
}

/**
 * A chain of named layers. AlexNet is one, and stays one after its end has been cut off and
 * replaced. Made by `alexnet` and `importOnnx`.
 * @example
 * const model = await alexnet(engine, { variant: 'alexnet-64' })
 * for (const { name, description } of model.layers) console.log(name, description)
 */
export class Network {
  readonly engine: Engine
  readonly architecture: Architecture
  /** How an image becomes this network's input. */
  readonly preprocess: Preprocess
  readonly #layers: Module[]
  /** Names of the parameters that were not in the weights it was made with. */
  missing: readonly string[] = []
  /**
   * Tensors of those weights' FC layers that are not this network's, with their shapes. They were
   * left out; `forward` refuses to run the layers without them, until `applyScenario` replaces
   * these.
   */
  left: readonly string[] = []
  /** Names of tensors in those weights that do not belong to this network, and were ignored. */
  ignored: readonly string[] = []
  /** What a person should know of how those weights were read: one sentence each. */
  remarks: readonly string[] = []
  /** The outputs' names, if they are known. */
  classNames: readonly string[] | null = null
  /** Whether it started from trained weights. */
  pretrained = false
  /** The seed of its initial values and its dropout. */
  seed: number
  /** Training passes so far; dropout draws other elements in each. */
  passes = 0

  constructor(
    engine: Engine,
    architecture: Architecture,
    preprocess: Preprocess,
    layers: readonly Module[],
    seed: number,
  ) {
    this.engine = engine
    this.architecture = architecture
    this.preprocess = preprocess
    this.#layers = [...layers]
    this.seed = seed
  }

  get layers(): readonly Module[] {
    return this.#layers
  }

  /** Weight and bias of every layer, in order. */
  parameters(): Parameter[] {
    return this.#layers.flatMap((layer) => layer.parameters())
  }

  /** What is state but no parameter: running statistics of batch normalization, in order. */
  buffers(): ModuleBuffer[] {
    return this.#layers.flatMap((layer) => layer.buffers())
  }

  /** Parameters and buffers, layer by layer: everything that a state dict holds. */
  state(): Parameter[] {
    return this.#layers.flatMap((layer) => layer.state())
  }

  /** The shape of one image after each layer, without the batch; input first. */
  shapes(): Shape[] {
    const { size } = this.preprocess
    let shape: Shape = [3, size, size]
    const shapes = [shape]
    for (const layer of this.#layers) {
      shape = layer.outShape(shape)
      shapes.push(shape)
    }
    return shapes
  }

  /**
   * How many layers come before the first that trains, and before the dropout in front of it. They
   * always run as in evaluation, without dropout: their outputs are features, the same in every
   * epoch.
   */
  get frozenPrefix(): number {
    const first = this.#layers.findIndex((layer) =>
      layer.parameters().some((parameter) => parameter.trainable),
    )
    let prefix = first < 0 ? this.#layers.length : first
    while (first >= 0 && this.#layers[prefix - 1] instanceof Dropout) prefix--
    return prefix
  }

  /**
   * The network's output for a batch of preprocessed images.
   * @param x [N, 3, size, size], or what layer `from` takes
   * @param options with `training` dropout drops and statistics move, unless it is a `trial`;
   * `from` and `to` run only these layers, counted from 0, `to` not included
   * @returns logits [N, classes]
   * @throws ShapeError when x does not fit
   * @throws UsageError for options that do not exist
   * @example const logits = model.forward(x, { training: true })
   */
  forward(
    x: Tensor,
    options: ForwardOptions & { readonly from?: number; readonly to?: number } = {},
  ): Tensor {
    checkOptions('forward', options, ['training', 'trial', 'from', 'to'])
    const { training = false, trial = false, from = 0, to = this.#layers.length } = options
    const { size } = this.preprocess
    const [, ...image] = x.shape
    if (from === 0 && !sameShape(image, [3, size, size]))
      throw new ShapeError(`the network takes [N, 3, ${size}, ${size}], not ${showShape(x.shape)}`)
    const prefix = this.frozenPrefix
    const pass = training ? this.passes : 0
    if (training && !trial) this.passes++
    return runChain(
      this.#layers.slice(from, to),
      x,
      (i) => ({
        training: training && from + i >= prefix,
        trial,
        seed: seedOf(this.seed, from + i, pass),
      }),
      this.left.length > 0 ? (layer) => this.#requireWeights(layer) : undefined,
    )
  }

  /**
   * As `forward`, to the end, but stops before a softmax that ends the network: what cross-entropy
   * takes.
   */
  logits(x: Tensor, options: ForwardOptions & { readonly from?: number } = {}): Tensor {
    const to =
      this.#layers.at(-1) instanceof Softmax ? this.#layers.length - 1 : this.#layers.length
    return this.forward(x, { ...options, to })
  }

  /** @throws WeightsError for a layer with random values in place of those that were left out */
  #requireWeights(layer: Module): void {
    const random = randomAmong(this.missing)
    const lost = layer.parameters().find(({ name }) => random.includes(name))
    if (lost)
      throw new WeightsError(
        optionText`${lost.name} has no values: the weights have ${list(this.left)} in its place,
          which does not fit; apply a ${option('scenario')}, which replaces it`,
      )
  }

  /** The values of every parameter and buffer, by name. */
  async stateDict(): Promise<StateDict> {
    const state = this.state()
    return namedArrays(state, await this.engine.read(state.map(({ tensor }) => tensor)))
  }

  /**
   * Gives parameters and buffers the values of these names. Nothing changes unless everything fits.
   * Old files do not count the batches that a batch normalization has seen: its count stays.
   * @param options with `strict`, parameters that are not in `values` are an error. Default true
   * @returns the names that were not in `values`
   * @throws WeightsError for names the network does not know and shapes that differ
   * @throws UsageError for values that are not a Float32Array, and options that do not exist
   */
  loadStateDict(
    values: StateDict,
    options: { readonly strict?: boolean } = {},
  ): { readonly missing: string[] } {
    checkOptions('loadStateDict', options, ['strict'])
    const { strict = true } = options
    const parameters = new Map(this.state().map((parameter) => [parameter.name, parameter]))
    const unknown = Object.keys(values).filter((name) => !parameters.has(name))
    if (unknown.length)
      throw new WeightsError(
        `the network has no parameter ${list(unknown)}; ` +
          `its own are ${list([...parameters.keys()])}`,
      )
    const missing = [...parameters.keys()].filter(
      (name) => !values[name] && !name.endsWith('.num_batches_tracked'),
    )
    if (missing.length === parameters.size)
      throw new WeightsError('none of the network’s parameters is in these weights')
    if (strict && missing.length)
      throw new WeightsError(
        `the weights lack ${list(missing)}; pass strict: false to keep their present values`,
      )
    const fitting = [...parameters].flatMap(([name, parameter]) => {
      const given = values[name]
      if (!given) return []
      const { shape, data } = given
      if (!sameShape(shape, parameter.shape))
        throw new WeightsError(
          `${name} has the shape ${showShape(shape)} in the weights, ` +
            `${showShape(parameter.shape)} in the network`,
        )
      checkValues(name, data)
      if (data.length !== sizeOf(shape))
        throw new WeightsError(`${name} of shape ${showShape(shape)} has ${data.length} values`)
      return [{ parameter, data }]
    })
    for (const { parameter, data } of fitting) parameter.assign(this.engine, data)
    this.missing = this.missing.filter((name) => !values[name])
    if (this.missing.length === 0) this.left = []
    return { missing }
  }

  /**
   * Removes every layer after `keep` and puts others in their place.
   * @param keep the name of the last layer that stays
   * @throws UsageError when there is no such layer
   */
  replaceAfter(keep: string, layers: readonly Module[]): { readonly removed: readonly Module[] } {
    const last = this.#layers.findIndex((layer) => layer.name === keep)
    if (last < 0)
      throw new UsageError(
        `there is no layer ${keep}; the layers are ` +
          this.#layers.map((layer) => layer.name).join(', '),
      )
    const removed = this.#layers.splice(last + 1, this.#layers.length, ...layers)
    const gone = new Set(removed.flatMap((layer) => layer.state().map(({ name }) => name)))
    for (const layer of removed) for (const one of layer.state()) one.dispose()
    this.missing = this.missing.filter((name) => !gone.has(name))
    this.classNames = null
    return { removed }
  }

  /** Frees every parameter and buffer. */
  dispose(): void {
    for (const one of this.state()) one.dispose()
  }
}

/**
 * Those of missing parameters that are random: where only the bias of a layer is missing, it is
 * zero, as in a layer without one.
 */
export function randomAmong(missing: readonly string[]): string[] {
  return missing.filter((name) => missing.includes(name.replace(/bias$/, 'weight')))
}

/** The first few names, and how many more. */
export function list(names: readonly string[], shown = 6): string {
  const head = names.slice(0, shown).join(', ')
  return names.length > shown ? `${head} and ${names.length - shown} more` : head
}
