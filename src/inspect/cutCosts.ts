/** What a training step costs with each choice of where training begins. */
import { at } from '../base/at.ts'
import { layerOf, type PassKind, passKind } from '../nn/layerTimes.ts'
import type { ComparedStep, InspectedLayer, Inspection } from './inspection.ts'

/** Arithmetic and bytes of a step's kernels, and their GPU time where it was measured. */
export interface StepCost {
  /** Floating-point operations; a multiply-add counts two. */
  readonly flops: number
  /** Read and written by the kernels. */
  readonly bytes: number
  readonly milliseconds: number | null
}

/** A step in which everything from one layer on trains. */
export interface CutCost {
  /** The first layer that trains; null where all are frozen. */
  readonly from: string | null
  /** Values that train. */
  readonly values: number
  readonly total: StepCost
  readonly byKind: Readonly<Record<Exclude<PassKind, 'other'>, StepCost>>
}

/** The steps that can be chosen from. */
export interface CutCosts {
  /** From all layers frozen to all training. */
  readonly cuts: readonly CutCost[]
  /**
   * Whether they are counted from a recorded step in which everything trains. Else they are
   * estimated from the forward pass: a gradient takes about the arithmetic of the forward pass.
   */
  readonly recorded: boolean
}

type Dispatch = ComparedStep['dispatches'][number]

const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

/** How many parameter values a layer has. */
export function valuesIn({ parameters }: Pick<InspectedLayer, 'parameters'>): number {
  return parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
}

/** The costs of one training step with each cut, from the recording. */
export function cutCosts(
  inspection: Pick<Inspection, 'layers' | 'dispatches' | 'compared'>,
): CutCosts {
  const { layers, compared } = inspection
  const whole = compared.at(-1)
  const dispatches = whole?.dispatches ?? estimated(inspection)
  const place = new Map(layers.map(({ name }, i) => [name, i]))
  const trainable = layers.flatMap((layer, i) => (layer.parameters.length ? [i] : []))
  const cuts = [layers.length, ...trainable.reverse()].map((from): CutCost => {
    const runs = dispatches.filter((one) => {
      const name = layerOf(one)
      const kind = passKind(one.pass)
      if (kind === 'forward') return true
      if (from === layers.length || kind === 'other') return false
      if (name === null) return true // the gradient of the loss
      const layer = place.get(name) ?? -1
      // The first layer that trains sends nothing further back.
      return layer > from || (layer === from && one.pass !== 'input gradient')
    })
    const of = (kind: PassKind) => costOf(runs.filter(({ pass }) => passKind(pass) === kind))
    return {
      from: layers[from]?.name ?? null,
      values: layers.slice(from).reduce((sum, layer) => sum + valuesIn(layer), 0),
      total: costOf(runs),
      byKind: { forward: of('forward'), gradient: of('gradient'), step: of('step') },
    }
  })
  return { cuts, recorded: whole !== undefined }
}

function costOf(dispatches: readonly Dispatch[]): StepCost {
  const sum = (of: (one: Dispatch) => number) =>
    dispatches.reduce((total, one) => total + of(one), 0)
  return {
    flops: sum(({ cost }) => cost?.flops ?? 0),
    bytes: sum(({ cost }) => cost?.bytes ?? 0),
    milliseconds: dispatches.every(({ milliseconds }) => milliseconds !== null)
      ? sum(({ milliseconds }) => milliseconds ?? 0)
      : null,
  }
}

/** SGD with momentum reads a value, its gradient and velocity, and writes two of them. */
const stepCost = { flops: 4, bytes: 5 * 4 } as const

/** The dispatches of a step in which everything trains, from those of a forward pass. */
function estimated({
  layers,
  dispatches,
}: Pick<Inspection, 'layers' | 'dispatches'>): readonly Dispatch[] {
  const forward = dispatches.filter(({ pass }) => passKind(pass) === 'forward')
  const untimed = (layer: string, pass: string, cost: Dispatch['cost']): Dispatch => ({
    layer,
    pass,
    kernel: '',
    cost,
    milliseconds: null,
  })
  return layers.flatMap((layer, i) => {
    const { name } = layer
    const own = forward.filter((one) => layerOf(one) === name)
    const values = valuesIn(layer)
    const cost = costOf(own.map((one) => untimed(name, 'forward', one.cost)))
    const gradient = (pass: string) => (own.length ? [untimed(name, pass, cost)] : [])
    return [
      ...own.map((one) => untimed(name, 'forward', one.cost)),
      ...(i > 0 ? gradient('input gradient') : []),
      ...(values ? gradient('weight gradient') : []),
      ...(values
        ? [
            untimed(name, 'step', {
              flops: stepCost.flops * values,
              bytes: stepCost.bytes * values,
            }),
          ]
        : []),
    ]
  })
}

/** The cut that a network's flags amount to, by its place in `cuts`; null for any other pattern. */
export function cutOf(
  { layers }: Pick<Inspection, 'layers'>,
  cuts: readonly CutCost[],
): number | null {
  const own = layers.filter(({ parameters }) => parameters.length)
  const trains = own.map(({ parameters }) => parameters.every(({ trainable }) => trainable))
  const first = trains.indexOf(true)
  if (first >= 0 && !trains.slice(first).every(Boolean)) return null
  const from = first < 0 ? null : at(own, first).name
  const found = cuts.findIndex((cut) => cut.from === from)
  return found < 0 ? null : found
}
