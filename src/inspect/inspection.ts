/** Everything that the inspector's page shows, as plain JSON. */

import { UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { preprocessImages } from '../data/transforms.ts'
import {
  describeOmission,
  type RecordedCall,
  type RecordedDispatch,
  type Recording,
} from '../gpu/recording.ts'
import { isDecoded, type RgbImage, type Source } from '../host/host.ts'
import type { Network } from '../nn/network.ts'
import type { Preprocess } from '../nn/preprocess.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Plan } from '../transfer/scenario.ts'
import { testImage } from './image.ts'
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

/** One launch of a kernel, as the recording has it; its kernel is `sources[source]`. */
export interface InspectedDispatch
  extends Omit<RecordedDispatch, 'source' | 'constants' | 'kernel' | 'entryPoint'> {
  readonly source: number
  /** The least time by the roofline over the time it took; null without times or cost. */
  readonly share: number | null
}

/** One call of an operator, its tensors by their keys in `Inspection.tensors`. */
export interface InspectedCall extends Omit<RecordedCall, 'tensors' | 'attrs'> {
  readonly attrs: Readonly<Record<string, unknown>>
  /** The keys of its tensors, by name. */
  readonly tensors: Readonly<Record<string, string>>
}

/** One layer of the inspected network. */
export interface InspectedLayer {
  readonly name: string
  /** For people: 'conv 5x5, 64 to 192'. */
  readonly description: string
  /** Of one image. */
  readonly outShape: readonly number[]
  readonly parameters: readonly {
    readonly name: string
    readonly shape: readonly number[]
    readonly trainable: boolean
  }[]
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

/**
 * One recorded step of a network and everything known of it, as plain JSON: what the page shows,
 * for programs of one's own.
 */
export interface Inspection {
  readonly title: string
  /**
   * Where it ran; `subgroup` is the lanes of the register tiles, or null where the plain kernels
   * ran.
   */
  readonly adapter: {
    readonly name: string
    readonly kind: string
    readonly subgroup: number | null
  }
  readonly variant: string
  readonly preprocess: Preprocess
  readonly plan: Plan | null
  /** Whether it was a training step. */
  readonly train: boolean
  /** The class that the training step was told. */
  readonly target: string | null
  /** Cross-entropy before the step, in nats; null for a forward pass alone. */
  readonly loss: number | null
  /**
   * What the network takes the image for: the five likeliest classes, with probabilities in 0..1.
   * Empty where a logit is not finite.
   */
  readonly top: readonly { readonly name: string; readonly probability: number }[]
  readonly layers: readonly InspectedLayer[]
  /** The layers that the plan has cut off. */
  readonly removed: readonly string[]
  readonly calls: readonly InspectedCall[]
  readonly dispatches: readonly InspectedDispatch[]
  /** GPU time of all dispatches; null where the adapter has no timestamps. */
  readonly milliseconds: number | null
  readonly sources: readonly InspectedSource[]
  /** What did not run, and why, one line each. */
  readonly omissions: readonly string[]
  /** By key; `unpackTensor` gives the values. */
  readonly tensors: Readonly<Record<string, PackedTensor>>
  /** Every tensor of the step against float64. */
  readonly numbers: readonly NumberRow[]
  /** The roof of the roofline, measured; null where the adapter has no timestamps. */
  readonly peak: Peak | null
  /**
   * The same training step with only the last layer training, and with everything; empty for a
   * forward pass.
   */
  readonly compared: readonly ComparedStep[]
  /**
   * The files under shaders/: headers with the formulas, and what an edited kernel is compiled
   * from.
   */
  readonly shaders: Readonly<Record<string, string>>
}

/** What `inspect` is told beside the network. */
export interface InspectOptions {
  /**
   * What goes through the network, as `predict` takes it. Default: a drawing with edges of all
   * kinds.
   */
  readonly picture?: Source | RgbImage
  /** A whole training step: forward, backward and SGD. Default: forward alone. */
  readonly train?: boolean
  /**
   * The class that a training step is told, by name or number. Default: what the network takes the
   * image for.
   */
  readonly label?: string | number
  /** What `applyScenario` returned, so that the page tells what is cut, new and frozen, and why. */
  readonly plan?: Plan | null
  /** The page's heading. Default: the network's variant. */
  readonly title?: string
  /** Told what is being done, and how much of it is. */
  readonly onProgress?: (label: string, done: number, total: number) => void
}

/** What `inspect` gives: the recording as it is, for `chromeTrace`, and all that is known of it. */
export interface InspectedStep {
  readonly inspection: Inspection
  readonly recording: Recording
}

/**
 * Values of a weight or its gradient that the page keeps, and of an activation: a page of a few
 * megabytes.
 */
const keptWeights = 2 ** 15
const keptActivations = 2 ** 18

/**
 * Runs one step of a network on one image, recorded, compares every number of it with float64, and
 * gathers all that the page shows. The network is afterwards as it was, but for gradients that were
 * accumulated, which a training step clears.
 * @throws UsageError for a label that the network has no class for, and while another recording is
 * under way
 * @throws DataError for an image that cannot be read
 * @example
 * const { inspection, recording } = await inspect(model, { picture: 'cat.jpg', train: true, label:
 * 'cat' }) await writeFile('step.html', await inspectorPage(inspection))
 */
export async function inspect(
  model: Network,
  options: InspectOptions = {},
): Promise<InspectedStep> {
  checkOptions('inspect', options, ['picture', 'train', 'label', 'plan', 'title', 'onProgress'])
  const {
    picture = testImage(),
    train = false,
    label,
    plan = null,
    title = model.architecture.variant,
    onProgress,
  } = options
  const { engine, passes } = model
  const shaders = Object.fromEntries(await engine.host.readShaders())
  const image = isDecoded(picture) ? picture : await engine.host.decodeImage(picture)
  const x = preprocessImages(engine, [image], model.preprocess)
  try {
    const target = train ? await targetOf(model, x, label) : null
    onProgress?.('recording', 0, 4)
    const { recording, loss, logits, compared, peak } = await recordAll(model, x, target, (done) =>
      onProgress?.('recording', done, 4),
    )
    const numbers = await compareNumbers(recording, (done, total) =>
      onProgress?.('comparing with float64', done, total),
    )
    const name = (i: number) => model.classNames?.[i] ?? `class ${i}`
    const { dispatches, sources } = inspectDispatches(recording.dispatches, peak)
    const inspection: Inspection = {
      ...{ title, variant: model.architecture.variant, preprocess: model.preprocess },
      adapter: {
        name: engine.info.adapter,
        kind: engine.info.kind,
        subgroup: engine.info.subgroup,
      },
      ...{ plan, train, target: target === null ? null : name(target), loss },
      top: best(logits, 5).map(({ index, probability }) => ({ name: name(index), probability })),
      layers: inspectLayers(model, plan),
      removed: plan?.removed ?? [],
      ...{ dispatches, sources, milliseconds: recording.milliseconds },
      omissions: [...new Set(recording.omissions.map(describeOmission))],
      ...packCalls(recording.calls),
      ...{ numbers, peak, compared, shaders },
    }
    return { inspection, recording }
  } finally {
    model.passes = passes
    x.dispose()
  }
}

/** The class by its name or number; without one, what the network takes the image for. */
async function targetOf(
  model: Network,
  x: Tensor,
  label: string | number | undefined,
): Promise<number> {
  const logits = model.engine.noGrad(() => model.logits(x))
  const values = await logits.data()
  logits.dispose()
  if (label === undefined) return best(values, 1)[0]?.index ?? 0 // of a network that diverged, any
  const named = model.classNames?.indexOf(String(label)) ?? -1
  const index = named >= 0 ? named : /^\d+$/.test(String(label)) ? Number(label) : -1
  if (index >= 0 && index < values.length) return index
  const names = model.classNames?.slice(0, 8).join(', ')
  throw new UsageError(
    `there is no class ${label}; ${names ? `there are ${names}${values.length > 8 ? ', …' : ''}` : `numbers go from 0 to ${values.length - 1}`}`,
  )
}

/** Every recording that the page is made of; parameters are afterwards as they were. */
async function recordAll(
  model: Network,
  x: Tensor,
  target: number | null,
  onProgress: (done: number) => void,
) {
  const before = await model.stateDict()
  try {
    const { recording: valued, loss, logits } = await recordStep(model, x, target, true)
    onProgress(1)
    const recording = withTimesOf(valued, await quickest(model, x, target))
    onProgress(2)
    const peak = await measurePeak(model.engine)
    onProgress(3)
    const compared = target === null ? [] : await compareScenarios(model, x, target)
    return { recording, loss, logits, peak, compared }
  } finally {
    if (target !== null) model.loadStateDict(before)
  }
}

/**
 * The quickest of a few recordings of one step: what the machine did beside it made the others
 * longer.
 */
async function quickest(
  model: Network,
  x: Tensor,
  target: number | null,
  tries = 3,
): Promise<Recording> {
  const { recording: first } = await recordStep(model, x, target, false)
  let best = first
  for (let i = 1; i < tries && first.milliseconds !== null; i++) {
    const { recording } = await recordStep(model, x, target, false)
    if ((recording.milliseconds ?? Number.POSITIVE_INFINITY) < (best.milliseconds ?? 0))
      best = recording
  }
  return best
}

/** The highest few of a row of logits, as probabilities; none where they are not finite. */
function best(
  logits: Float32Array,
  count: number,
): { readonly index: number; readonly probability: number }[] {
  if (!logits.every(Number.isFinite)) return []
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
    parameters: layer
      .parameters()
      .map(({ name, shape, trainable }) => ({ name, shape, trainable })),
    isNew: plan?.added.some(({ name }) => name === layer.name) ?? false,
  }))
}

function inspectDispatches(dispatches: readonly RecordedDispatch[], peak: Peak | null) {
  const sources: InspectedSource[] = []
  const known = new Map<string, number>()
  const inspected = dispatches.map(
    ({ source, constants, kernel, entryPoint: _, ...rest }): InspectedDispatch => {
      const key = `${kernel} ${JSON.stringify(constants)}`
      const at = known.get(key) ?? sources.push({ kernel, constants, code: source.code }) - 1
      known.set(key, at)
      const share =
        peak && rest.cost && rest.milliseconds
          ? rooflineMilliseconds(rest.cost, peak) / rest.milliseconds
          : null
      return { ...rest, source: at, share }
    },
  )
  return { dispatches: inspected, sources }
}

/**
 * Calls with their tensors packed; a tensor that one call writes and the next reads is kept once.
 */
function packCalls(calls: readonly RecordedCall[]): {
  readonly calls: InspectedCall[]
  readonly tensors: Record<string, PackedTensor>
} {
  const tensors: Record<string, PackedTensor> = {}
  const kept = new Map<string, { readonly key: string; readonly values: Float32Array }[]>()
  const keep = (
    key: string,
    name: string,
    shape: readonly number[],
    values: Float32Array,
  ): string => {
    const alike = kept.get(shape.join()) ?? []
    kept.set(shape.join(), alike)
    const same = alike.find(
      (one) =>
        one.values.length === values.length &&
        one.values.every((value, i) => Object.is(value, values[i])),
    )
    if (same) return same.key
    tensors[key] = packTensor(
      shape,
      values,
      /^(d?(weight|bias)|p)$/.test(name) ? keptWeights : keptActivations,
    )
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
  return Object.fromEntries(
    Object.entries(attrs ?? {}).flatMap(([name, value]: [string, unknown]) => {
      const list = value instanceof Int32Array ? [...value] : value
      return plain(list) || (Array.isArray(list) && list.every(plain)) ? [[name, list]] : []
    }),
  )
}

/** The same step where everything trains, and where only the last layer does. */
async function compareScenarios(
  model: Network,
  x: Tensor,
  target: number,
): Promise<ComparedStep[]> {
  const parameters = model.parameters()
  const flags = parameters.map(({ trainable }) => trainable)
  const last = model.layers.findLast((layer) => layer.parameters().length > 0)?.parameters() ?? []
  const steps: ComparedStep[] = []
  try {
    for (const [title, training] of [
      ['only the last layer trains', last],
      ['everything trains', parameters],
    ] as const) {
      for (const parameter of parameters) parameter.trainable = training.includes(parameter)
      await recordStep(model, x, target, false) // compiles, and warms up
      const recording = await quickest(model, x, target)
      steps.push({
        title,
        dispatches: recording.dispatches.map(({ layer, pass, kernel, milliseconds }) => ({
          layer,
          pass,
          kernel,
          milliseconds,
        })),
        omissions: [...new Set(recording.omissions.map(describeOmission))],
      })
    }
  } finally {
    for (const [i, parameter] of parameters.entries()) parameter.trainable = flags[i] ?? true
  }
  return steps
}
