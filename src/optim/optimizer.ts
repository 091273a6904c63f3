import { ShapeError, UsageError, WeightsError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import type { StateDict } from '../base/stateDict.ts'
import type { Constants, Kernel, Params } from '../gpu/kernels/kernel.ts'
import { eachPart } from '../gpu/memory/windows.ts'
import type { Recorder } from '../gpu/recorder.ts'
import { Parameter } from '../nn/parameter.ts'
import type { Engine } from '../tensor/engine.ts'
import { sameShape, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { notNegative } from './options.ts'
import { zeros } from './zeros.ts'

/** What `step` is told. */
export interface StepOptions {
  /**
   * One element: where it is not 0 the step changes nothing. A step held back this way still counts
   * in Adam's bias corrections.
   */
  readonly guard?: Tensor
}

/**
 * Parameters that share a learning rate: discriminative rates give each group of layers its own.
 */
export interface ParameterGroup {
  readonly parameters: readonly Parameter[]
  /** Default: the optimizer's. */
  readonly lr?: number
}

/**
 * A group as the optimizer holds it. Its rate may change before any step.
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
   * The learning rate of the next step. @throws UsageError when set to something else than a number
   * of 0 or more
   */
  get lr(): number {
    return this.#lr
  }

  set lr(value: number) {
    this.#lr = notNegative(this.#optimizer, 'lr', value)
  }
}

/** What an optimizer is, beside its hyperparameters. */
interface Rule {
  /** The class, for messages. */
  readonly name: string
  readonly kernel: Kernel
  readonly constants: Constants
  /**
   * What is kept for each parameter, in the parameter's shape: the shader's bindings of these
   * names.
   */
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
 * What all optimizers share: which parameters take part in a step, and the state kept for each,
 * which is made at its first step. A parameter that is frozen or has no gradient is left wholly
 * alone: no decay, no change of state, no step counted.
 */
export abstract class Optimizer {
  readonly parameters: readonly Parameter[]
  /** Parameters by learning rate: one group of all, unless groups were given. */
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
        `${rule.name} takes parameters: give model.parameters(), and a tensor of your own as new Parameter(name, tensor)`,
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

  /** How many values are kept for each value of a parameter. */
  get stateSlots(): number {
    return this.#rule.slots.length
  }

  /**
   * The learning rate of the next step: the last group's; setting it sets every group's. @throws
   * UsageError when set to something else than a number of 0 or more
   */
  get lr(): number {
    return this.groups.at(-1)?.lr ?? 0
  }

  set lr(value: number) {
    for (const group of this.groups) group.lr = value
  }

  /**
   * How much of the last step's direction is kept in the next: SGD's momentum, Adam's first beta.
   * @throws UsageError when set to what the optimizer cannot take
   */
  abstract momentum: number

  /**
   * The shader's params, without `n`, for a parameter's step number `step`, counted from 1, at a
   * learning rate.
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
        `${name}.step: the guard has the shape ${showShape(guard.shape)}: it takes one element`,
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

  /** Returns what records the work, where anything does. */
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
      recorder?.enter(name, 'step', [
        buffer,
        grad.buffer,
        ...(known?.tensors ?? []).map((tensor) => tensor.buffer),
      ])
      const state = known ?? this.#begin(engine, parameter)
      const arrays = {
        p: buffer.storage,
        g: grad.buffer.storage,
        ...Object.fromEntries(
          slots.map((slot, i) => [slot, (state.tensors[i] as Tensor).buffer.storage]),
        ),
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

  /** Lets every gradient go: each `grad` becomes null, and its buffer is handed out again. */
  zeroGrad(): void {
    for (const parameter of this.parameters) parameter.dropGrad()
  }

  /**
   * The state of every parameter that has taken a step: 'SLOT.PARAMETER' in the parameter's shape,
   * and for Adam and AdamW 'step.PARAMETER', a scalar. The learning rate and the other options are
   * not in it.
   */
  async stateDict(): Promise<StateDict> {
    const collect = this.readLater()
    this.parameters[0]?.tensor.engine.gpu.submit()
    return collect()
  }

  /**
   * `stateDict` as of this point of the work. Submits nothing: call the result after
   * `gpu.submit()`.
   */
  readLater(): () => Promise<StateDict> {
    const { slots, counts } = this.#rule
    const entries = [...this.#states].flatMap(([{ name }, { tensors }]) =>
      slots.map((slot, i) => ({ key: `${slot}.${name}`, tensor: tensors[i] as Tensor })),
    )
    const steps = counts
      ? [...this.#states].map(([{ name }, { steps }]) => [`step.${name}`, steps] as const)
      : []
    const collect = entries[0]?.tensor.engine.readLater(entries.map(({ tensor }) => tensor))
    return async () => {
      const values = (await collect?.()) ?? []
      const result: StateDict = {}
      for (const [i, { key, tensor }] of entries.entries())
        result[key] = { shape: [...tensor.shape], data: values[i] as Float32Array }
      for (const [key, count] of steps) result[key] = { shape: [], data: new Float32Array([count]) }
      return result
    }
  }

  /**
   * Takes over what `stateDict` gave; parameters it does not name begin anew. Nothing changes
   * unless everything fits.
   * @throws WeightsError for names it does not know, for shapes that differ, and for part of a
   * parameter's state
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
        `${optimizer}: the state has ${unknown.slice(0, 6).join(', ')}, which belongs to none of its parameters`,
      )
    const loaded = this.parameters.flatMap((parameter) => {
      const keys = kinds.map((kind) => `${kind}.${parameter.name}`)
      const absent = keys.filter((key) => !values[key])
      if (absent.length === keys.length) return []
      if (absent.length)
        throw new WeightsError(
          `${optimizer}: the state of ${parameter.name} lacks ${absent.join(', ')}`,
        )
      const arrays = slots.map((slot) => {
        const { shape = [], data = new Float32Array(0) } = values[`${slot}.${parameter.name}`] ?? {}
        if (!sameShape(shape, parameter.shape) || data.length !== sizeOf(shape))
          throw new WeightsError(
            `${optimizer}: ${slot}.${parameter.name} has the shape ${showShape(shape)} and ${data.length} values, the parameter ${showShape(parameter.shape)}`,
          )
        return data
      })
      const steps = counts ? (values[`step.${parameter.name}`]?.data[0] ?? Number.NaN) : 0
      if (!Number.isSafeInteger(steps) || steps < 0)
        throw new WeightsError(
          `${optimizer}: step.${parameter.name} is ${steps}, which is no count`,
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

  /** Frees the state; parameters and gradients stay. A later step begins anew. */
  dispose(): void {
    for (const { tensors } of this.#states.values()) for (const tensor of tensors) tensor.dispose()
    this.#states.clear()
  }

  #begin(engine: Engine, parameter: Parameter): State {
    const tensors = this.#rule.slots.map(() => zeros(engine, parameter.shape))
    const state = { steps: 0, tensors }
    this.#states.set(parameter, state)
    return state
  }
}
