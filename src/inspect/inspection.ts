/** Everything that the inspector's page shows, as plain JSON. */
import { describeOmission, type RecordedCall, type RecordedDispatch, type Recording } from '../gpu/recorder.ts'
import type { Network } from '../nn/network.ts'
import type { Preprocess } from '../nn/preprocess.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Plan } from '../transfer/scenario.ts'
import { compareNumbers, type NumberRow } from './numbers.ts'
import { type PackedTensor, packTensor } from './pack.ts'
import { measurePeak, type Peak, rooflineMilliseconds } from './peak.ts'
import { recordStep, withTimesOf } from './step.ts'

/** A kernel's text: one for each file and set of constants. */
export interface InspectedSource {
  readonly kernel: string
  readonly constants: Readonly<Record<string, number>>
  /** The WGSL that ran, after expansion. */
  readonly code: string
}

export interface InspectedDispatch extends Omit<RecordedDispatch, 'source' | 'constants' | 'kernel' | 'entryPoint'> {
  readonly source: number
  /** The least time by the roofline over the time it took; null without times or cost. */
  readonly share: number | null
}

export interface InspectedCall extends Omit<RecordedCall, 'tensors' | 'attrs'> {
  readonly attrs: Readonly<Record<string, unknown>>
  /** The keys of its tensors, by name. */
  readonly tensors: Readonly<Record<string, string>>
}

export interface InspectedLayer {
  readonly name: string
  readonly description: string
  /** Of one picture. */
  readonly outShape: readonly number[]
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[]; readonly trainable: boolean }[]
  /** Whether a scenario put it there. */
  readonly isNew: boolean
}

/** The same step under another choice of what trains. */
export interface ComparedStep {
  readonly title: string
  readonly dispatches: readonly {
    readonly layer: string | null
    readonly pass: string | null
    readonly kernel: string
    readonly milliseconds: number | null
  }[]
  readonly omissions: readonly string[]
}

export interface Inspection {
  readonly graft: string
  readonly title: string
  readonly adapter: { readonly name: string; readonly kind: string; readonly subgroup: number | null }
  readonly variant: string
  readonly preprocess: Preprocess
  readonly plan: Plan | null
  /** Whether it was a training step. */
  readonly train: boolean
  readonly target: string | null
  readonly loss: number | null
  readonly top: readonly { readonly name: string; readonly probability: number }[]
  readonly layers: readonly InspectedLayer[]
  readonly removed: readonly string[]
  readonly calls: readonly InspectedCall[]
  readonly dispatches: readonly InspectedDispatch[]
  readonly milliseconds: number | null
  readonly sources: readonly InspectedSource[]
  readonly omissions: readonly string[]
  readonly tensors: Readonly<Record<string, PackedTensor>>
  readonly numbers: readonly NumberRow[]
  readonly peak: Peak | null
  readonly compared: readonly ComparedStep[]
  /** The files under shaders/: headers with the formulas, and what an edited kernel is compiled from. */
  readonly shaders: Readonly<Record<string, string>>
  /** The float64 references in TypeScript, by operator. */
  readonly references: Readonly<Record<string, string>>
}

export interface InspectOptions {
  readonly title: string
  readonly version: string
  readonly plan: Plan | null
  /** The class that a training step is told; null for a forward pass alone. */
  readonly target: number | null
  readonly shaders: ReadonlyMap<string, string>
  readonly references: Readonly<Record<string, string>>
  readonly onProgress?: (label: string, done: number, total: number) => void
}

/** Values of a weight or its gradient that the page keeps, and of an activation: a page of a few megabytes. */
const keptWeights = 2 ** 15
const keptActivations = 2 ** 18

/**
 * Runs one step of a network, recorded, and gathers all that the page shows. The network's parameters take part in the step, and change.
 * @param x [1, 3, size, size], preprocessed
 * @example const inspection = await inspect(model, x, { title: 'runs/dogs', target: 2, … })
 */
export async function inspect(
  model: Network,
  x: Tensor,
  options: InspectOptions,
): Promise<{ readonly inspection: Inspection; readonly recording: Recording }> {
  const { target, plan, onProgress } = options
  const { engine } = model
  onProgress?.('recording', 0, 4)
  const before = await model.stateDict()
  const { recording: valued, loss, logits } = await recordStep(model, x, target, true)
  onProgress?.('recording', 1, 4)
  const recording = withTimesOf(valued, (await recordStep(model, x, target, false)).recording)
  onProgress?.('recording', 2, 4)
  const peak = await measurePeak(engine)
  onProgress?.('recording', 3, 4)
  const compared = target === null ? [] : await compareScenarios(model, x, target)
  model.loadStateDict(before)
  const numbers = await compareNumbers(recording, target, (done, total) => onProgress?.('comparing with float64', done, total))
  const name = (i: number) => model.classNames?.[i] ?? `class ${i}`
  const { dispatches, sources } = inspectDispatches(recording.dispatches, peak)
  const inspection: Inspection = {
    ...{ graft: options.version, title: options.title, variant: model.architecture.variant, preprocess: model.preprocess },
    adapter: { name: engine.info.adapter, kind: engine.info.kind, subgroup: engine.info.subgroup },
    ...{ plan, train: target !== null, target: target === null ? null : name(target), loss },
    top: best(logits, 5).map(({ index, probability }) => ({ name: name(index), probability })),
    layers: inspectLayers(model, plan),
    removed: plan?.removed ?? [],
    ...{ dispatches, sources, milliseconds: recording.milliseconds },
    omissions: [...new Set(recording.omissions.map(describeOmission))],
    ...packCalls(recording.calls),
    ...{ numbers, peak, compared, shaders: Object.fromEntries(options.shaders), references: options.references },
  }
  return { inspection, recording }
}

/** The highest few of a row of logits, as probabilities. */
function best(logits: Float32Array, count: number): { readonly index: number; readonly probability: number }[] {
  const highest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const weights = [...logits].map((value) => Math.exp(value - highest))
  const sum = weights.reduce((a, b) => a + b, 0)
  return weights
    .map((weight, index) => ({ index, probability: weight / sum }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, count)
}

function inspectLayers(model: Network, plan: Plan | null): InspectedLayer[] {
  const shapes = model.shapes()
  return model.layers.map((layer, i) => ({
    ...{ name: layer.name, description: layer.description, outShape: shapes[i + 1] ?? [] },
    parameters: layer.parameters().map(({ name, shape, trainable }) => ({ name, shape, trainable })),
    isNew: plan?.added.some(({ name }) => name === layer.name) ?? false,
  }))
}

function inspectDispatches(dispatches: readonly RecordedDispatch[], peak: Peak | null) {
  const sources: InspectedSource[] = []
  const known = new Map<string, number>()
  const inspected = dispatches.map(({ source, constants, kernel, entryPoint: _, ...rest }): InspectedDispatch => {
    const key = `${kernel} ${JSON.stringify(constants)}`
    const at = known.get(key) ?? sources.push({ kernel, constants, code: source.code }) - 1
    known.set(key, at)
    const share = peak && rest.cost && rest.milliseconds ? rooflineMilliseconds(rest.cost, peak) / rest.milliseconds : null
    return { ...rest, source: at, share }
  })
  return { dispatches: inspected, sources }
}

/** Calls with their tensors packed; a tensor that one call writes and the next reads is kept once. */
function packCalls(calls: readonly RecordedCall[]): { readonly calls: InspectedCall[]; readonly tensors: Record<string, PackedTensor> } {
  const tensors: Record<string, PackedTensor> = {}
  const kept = new Map<string, { readonly key: string; readonly values: Float32Array }[]>()
  const keep = (key: string, name: string, shape: readonly number[], values: Float32Array): string => {
    const alike = kept.get(shape.join()) ?? []
    kept.set(shape.join(), alike)
    const same = alike.find((one) => one.values.length === values.length && one.values.every((value, i) => Object.is(value, values[i])))
    if (same) return same.key
    tensors[key] = packTensor(shape, values, /^(d?(weight|bias)|p)$/.test(name) ? keptWeights : keptActivations)
    alike.push({ key, values })
    return key
  }
  const packed = calls.map(({ tensors: own, attrs, ...rest }, index): InspectedCall => {
    const entries = Object.entries(own).flatMap(([name, { shape, values }]) =>
      values ? [[name, keep(`${index}.${name}`, name, shape, values)] as const] : [],
    )
    return { ...rest, attrs: plainAttrs(attrs), tensors: Object.fromEntries(entries) }
  })
  return { calls: packed, tensors }
}

/** The options that are numbers, words or lists of them: others are buffers. */
function plainAttrs(attrs: unknown): Record<string, unknown> {
  const plain = (value: unknown) => ['number', 'string', 'boolean'].includes(typeof value)
  return Object.fromEntries(Object.entries(attrs ?? {}).filter(([, value]) => plain(value) || (Array.isArray(value) && value.every(plain))))
}

/** The same step where everything trains, and where only the last layer does. */
async function compareScenarios(model: Network, x: Tensor, target: number): Promise<ComparedStep[]> {
  const parameters = model.parameters()
  const flags = parameters.map(({ trainable }) => trainable)
  const steps: ComparedStep[] = []
  for (const [title, trains] of [
    ['only the last layer trains', (name: string) => name.startsWith('classifier.6.')],
    ['everything trains', () => true],
  ] as const) {
    for (const parameter of parameters) parameter.trainable = trains(parameter.name)
    await recordStep(model, x, target, false) // compiles, and warms up
    const { recording } = await recordStep(model, x, target, false)
    steps.push({
      title,
      dispatches: recording.dispatches.map(({ layer, pass, kernel, milliseconds }) => ({ layer, pass, kernel, milliseconds })),
      omissions: [...new Set(recording.omissions.map(describeOmission))],
    })
  }
  for (const [i, parameter] of parameters.entries()) parameter.trainable = flags[i] ?? true
  return steps
}
