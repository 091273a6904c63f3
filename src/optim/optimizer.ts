import { at } from '../base/at.ts'
import { ShapeError, UsageError, WeightsError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { namedArrays, type StateDict } from '../base/stateDict.ts'
import type { Constants, Kernel, Params } from '../gpu/kernels/kernel.ts'
import { eachPart } from '../gpu/memory/windows.ts'
import type { Recorder } from '../gpu/recorder.ts'
import { Parameter } from '../nn/parameter.ts'
import { sameShape, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import type { Engine, Tensor } from '../tensor/tensor.ts'
import { notNegative } from './options.ts'
import { zeros } from './zeros.ts'

/** Options of `step`. */
export interface StepOptions {
  /**
   * A tensor of one element: if it is not 0, the step changes nothing. Such a step still counts in
   * Adam's bias corrections.
   */
  readonly guard?: Tensor
}

/** Parameters that share a learning rate; discriminative learning rates use several groups. */
export interface ParameterGroup {
  readonly parameters: readonly Parameter[]
  /** Default: the optimizer's. */
  readonly lr?: number
}

/**
 * A parameter group of an optimizer. Its learning rate may be changed before any step.
 * @example for (const group of optimizer.groups) group.lr *= 0.1
 */
export class RateGroup {
  readonly parameters: readonly Parameter[]
  readonly #optimizer: string
  #lr = 0

  constructor(optimizer: string, parameters: readonly Parameter[], lr: number) {
    this.parameters = parameters
    this.#optimizer = optimizer
    this.lr = lr
  }

  /**
   * The learning rate of the next step.
   * @throws UsageError when set to anything but a number of 0 or more
   */
  get lr(): number {
    return this.#lr
  }

  set lr(value: number) {
    this.#lr = notNegative(this.#optimizer, 'lr', value)
  }
}

/** What defines an optimizer, besides its hyperparameters. */
interface Rule {
  /** The name of the class, for messages. */
  readonly name: string
  readonly kernel: Kernel
  readonly constants: Constants
  /** The tensors kept for each parameter, in its shape, by the names of the shader's bindings. */
  readonly slots: readonly string[]
  /** Whether the formula depends on the number of the step. */
  readonly counts: boolean
}

interface State {
  /** Steps this parameter has taken. */
  steps: number
  /** In the order of the rule's slots. */
  readonly tensors: readonly Tensor[]
}

/**
 * What all optimizers share: which parameters take part in a step, and the state of each, which is
 * allocated at its first step. A parameter that is frozen or has no gradient is not touched at all:
 * no weight decay, no change of its state, no step counted.
 */
export abstract class Optimizer {
  readonly parameters: readonly Parameter[]
  /** Parameters by learning rate: a single group, unless groups were given. */
  readonly groups: readonly RateGroup[]
  readonly #rule: Rule
  readonly #states = new Map<Parameter, State>()

  /** @throws UsageError for no parameters, or one given twice */
  protected constructor(
    rule: Rule,
    parameters: Iterable<Parameter> | readonly ParameterGroup[],
    lr: number,
  ) {
    this.#rule = rule
    const given = [...parameters]
    const groups = given.filter((one): one is ParameterGroup => 'parameters' in one)
    const single = given.filter((one): one is Parameter => !('parameters' in one))
    this.groups = [...(single.length ? [{ parameters: single }] : []), ...groups].map(
      (group: ParameterGroup) => new RateGroup(rule.name, group.parameters, group.lr ?? lr),
    )
    this.parameters = this.groups.flatMap((group) => group.parameters)
    if (!this.parameters.every((parameter) => parameter instanceof Parameter))
      throw new UsageError(
        `${rule.name} takes parameters: pass model.parameters(), or new Parameter(name, tensor) ` +
          'for a tensor of your own',
      )
    if (this.parameters.length === 0)
      throw new UsageError(`${rule.name}: there are no parameters to optimize`)
    const names = new Set<string>()
    for (const { name } of this.parameters) {
      if (names.has(name))
        throw new UsageError(`${rule.name}: the parameter ${name} is given twice`)
      names.add(name)
    }
  }

  /** How many values of state are kept for each value of a parameter. */
  get stateSlots(): number {
    return this.#rule.slots.length
  }

  /**
   * The learning rate of the next step, that of the last group; setting it sets every group's.
   * @throws UsageError when set to anything but a number of 0 or more
   */
  get lr(): number {
    return at(this.groups, this.groups.length - 1).lr
  }

  set lr(value: number) {
    for (const group of this.groups) group.lr = value
  }

  /**
   * How much of the last step's direction is kept in the next: SGD's momentum, Adam's first beta.
   * @throws UsageError when set to a value that the optimizer cannot take
   */
  abstract momentum: number

  /**
   * The shader's params, without `n`.
   * @param step the number of the parameter's step, counted from 1
   */
  protected abstract hyperparameters(step: number, lr: number): Params

  /**
   * Changes every trainable parameter that has a gradient, in place.
   * @throws ShapeError when the guard has more than one element
   * @throws UsageError for an option it does not have
   */
  step(options: StepOptions = {}): void {
    const { name } = this.#rule
    checkOptions(`${name}.step`, options, ['guard'])
    const { guard } = options
    if (guard && guard.size !== 1)
      throw new ShapeError(
        `${name}.step: the guard has the shape ${showShape(guard.shape)}; it must have one element`,
      )
    let recorder: Recorder | null = null
    for (const { parameters, lr } of this.groups)
      for (const parameter of parameters) recorder = this.#stepOne(parameter, lr, guard) ?? recorder
    if (!recorder) return
    for (const { name: left, trainable, grad } of this.parameters)
      if (!trainable || !grad)
        recorder.omit(
          'step',
          trainable ? 'the parameter has no gradient' : 'the parameter is frozen',
          left,
        )
  }

  /** Makes one parameter's step. Returns the recorder, if one is active and a step was made. */
  #stepOne(parameter: Parameter, lr: number, guard: Tensor | undefined): Recorder | null {
    const { name, kernel, constants, slots } = this.#rule
    const { grad } = parameter
    if (!parameter.trainable || !grad) return null
    const { engine, buffer } = parameter.tensor
    const { gpu } = engine
    const { layer, recorder } = gpu
    gpu.layer = parameter.name
    try {
      const known = this.#states.get(parameter)
      const knownBuffers = known ? known.tensors.map((tensor) => tensor.buffer) : []
      recorder?.enter(name, 'step', [buffer, grad.buffer, ...knownBuffers])
      const state = known ?? this.#allocate(engine, parameter)
      const arrays = {
        p: buffer.storage,
        g: grad.buffer.storage,
        ...Object.fromEntries(slots.map((slot, i) => [slot, at(state.tensors, i).buffer.storage])),
      }
      const hyperparameters = this.hyperparameters(state.steps + 1, lr)
      eachPart(gpu.bindingLimits, sizeOf(parameter.shape), arrays, (windows, n) => {
        const bindings = guard ? { ...windows, guard: guard.buffer.storage } : windows
        gpu.run(
          kernel,
          bindings,
          { n: Math.ceil(n / 4), ...hyperparameters },
          { ...constants, GUARD: guard ? 1 : 0 },
        )
      })
      recorder?.leave({ p: buffer })
      state.steps++
    } finally {
      gpu.layer = layer
    }
    return recorder
  }

  /** Releases every gradient: each `grad` becomes null, and its buffer can be reused. */
  zeroGrad(): void {
    for (const parameter of this.parameters) parameter.dropGrad()
  }

  /**
   * The state of every parameter that has made a step: 'SLOT.PARAMETER' in the parameter's shape,
   * and for Adam and AdamW 'step.PARAMETER', a scalar. It does not contain the learning rate and
   * other options.
   */
  async stateDict(): Promise<StateDict> {
    const collect = this.readLater()
    at(this.parameters, 0).tensor.engine.gpu.submit()
    return collect()
  }

  /**
   * `stateDict` as of this point of the GPU's work. Submits nothing: call the result after
   * `gpu.submit()`.
   */
  readLater(): () => Promise<StateDict> {
    const { slots, counts } = this.#rule
    const states = [...this.#states]
    const owners = states.flatMap(([{ name, shape }]) =>
      slots.map((slot) => ({ name: `${slot}.${name}`, shape })),
    )
    const tensors = states.flatMap(([, state]) => state.tensors)
    const steps = states.map(([{ name }, { steps }]) => [`step.${name}`, steps] as const)
    const collect = tensors[0]?.engine.readLater(tensors)
    return async () => {
      const result = collect ? namedArrays(owners, await collect()) : {}
      for (const [key, count] of counts ? steps : [])
        result[key] = { shape: [], data: new Float32Array([count]) }
      return result
    }
  }

  /**
   * Loads what `stateDict` returned; parameters it does not name start without state. Nothing
   * changes unless everything fits.
   * @throws WeightsError for unknown names, for shapes that differ, and if only part of a
   * parameter's state is there
   */
  loadStateDict(values: StateDict): void {
    const { name: optimizer, slots, counts } = this.#rule
    const kinds = counts ? [...slots, 'step'] : slots
    const known = new Set(
      this.parameters.flatMap(({ name }) => kinds.map((kind) => `${kind}.${name}`)),
    )
    const unknown = Object.keys(values).filter((key) => !known.has(key))
    if (unknown.length)
      throw new WeightsError(
        `${optimizer}: the state has ${unknown.slice(0, 6).join(', ')}, which belongs to none of ` +
          'its parameters',
      )
    const loaded = this.parameters.flatMap((parameter) => {
      const found = kinds.map((kind) => [kind, values[`${kind}.${parameter.name}`]] as const)
      const absent = found.flatMap(([kind, array]) => (array ? [] : [`${kind}.${parameter.name}`]))
      if (absent.length === kinds.length) return []
      if (absent.length)
        throw new WeightsError(
          `${optimizer}: the state of ${parameter.name} lacks ${absent.join(', ')}`,
        )
      let steps = 0
      const arrays: Float32Array[] = []
      for (const [kind, array] of found) {
        if (!array) continue
        const { shape, data } = array
        if (kind === 'step') steps = data.length === 1 ? at(data, 0) : Number.NaN
        else if (sameShape(shape, parameter.shape) && data.length === sizeOf(shape))
          arrays.push(data)
        else
          throw new WeightsError(
            `${optimizer}: ${kind}.${parameter.name} has the shape ${showShape(shape)} and ` +
              `${data.length} values, the parameter ${showShape(parameter.shape)}`,
          )
      }
      if (!Number.isSafeInteger(steps) || steps < 0)
        throw new WeightsError(
          `${optimizer}: step.${parameter.name} is ${steps}, not a number of steps`,
        )
      return [{ parameter, arrays, steps }]
    })
    this.dispose()
    for (const { parameter, arrays, steps } of loaded) {
      const { engine } = parameter.tensor
      this.#states.set(parameter, {
        steps,
        tensors: arrays.map((data) => engine.tensor(data, parameter.shape)),
      })
    }
  }

  /** Frees the state; parameters and gradients stay. A later step starts without state. */
  dispose(): void {
    for (const { tensors } of this.#states.values()) for (const tensor of tensors) tensor.dispose()
    this.#states.clear()
  }

  #allocate(engine: Engine, parameter: Parameter): State {
    const tensors = this.#rule.slots.map(() => zeros(engine, parameter.shape))
    const state = { steps: 0, tensors }
    this.#states.set(parameter, state)
    return state
  }
}
