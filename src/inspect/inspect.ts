import { at } from '../base/at.ts'
import { UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { preprocessImages } from '../data/transforms.ts'
import { describeOmission, type RecordedDispatch, type Recording } from '../gpu/recording.ts'
import { isDecoded, type RgbImage, type Source } from '../host/host.ts'
import type { Network } from '../nn/network.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Plan } from '../transfer/scenario.ts'
import { testImage } from './image.ts'
import type {
  InspectedDispatch,
  InspectedEpoch,
  InspectedLayer,
  InspectedSource,
  Inspection,
} from './inspection.ts'
import { compareNumbers } from './numbers.ts'
import { packCalls } from './packCalls.ts'
import { type Peak, rooflineMilliseconds } from './peak.ts'
import { largest, softmaxOf } from './probabilities.ts'
import { recordAll } from './recordings.ts'

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
  /** The epochs of the training that made the network, as `fit` returns them in `run.epochs`. */
  readonly history?: readonly InspectedEpoch[]
  /** Told what is being done, and how much of it is. */
  readonly onProgress?: (label: string, done: number, total: number) => void
}

/** What `inspect` gives: the recording as it is, for `chromeTrace`, and all that is known of it. */
export interface InspectedStep {
  readonly inspection: Inspection
  readonly recording: Recording
}
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
  checkOptions('inspect', options, [
    'picture',
    'train',
    'label',
    'plan',
    'title',
    'history',
    'onProgress',
  ])
  const {
    picture = testImage(),
    train = false,
    label,
    plan = null,
    title = model.architecture.variant,
    history = [],
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
      title,
      variant: model.architecture.variant,
      preprocess: model.preprocess,
      adapter: {
        name: engine.info.adapter,
        kind: engine.info.kind,
        subgroup: engine.info.subgroup,
      },
      plan,
      train,
      target: target === null ? null : name(target),
      targetGiven: target !== null && label !== undefined,
      loss,
      top: best(logits, 5).map(({ index, probability }) => ({ name: name(index), probability })),
      classes: Array.from(logits, (_, i) => name(i)),
      history: history.map(({ epoch, trainLoss, trainAccuracy, valLoss, valAccuracy }) => ({
        epoch,
        trainLoss,
        trainAccuracy,
        valLoss,
        valAccuracy,
      })),
      layers: inspectLayers(model, plan),
      removed: plan?.removed ?? [],
      dispatches,
      sources,
      milliseconds: recording.milliseconds,
      omissions: [...new Set(recording.omissions.map(describeOmission))],
      ...packCalls(recording.calls),
      numbers,
      peak,
      compared,
      shaders,
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
  const choice = names
    ? `there are ${names}${values.length > 8 ? ', …' : ''}`
    : `numbers go from 0 to ${values.length - 1}`
  throw new UsageError(`there is no class ${label}; ${choice}`)
}

/** The highest few of a row of logits, as probabilities; none where they are not finite. */
function best(
  logits: Float32Array,
  count: number,
): { readonly index: number; readonly probability: number }[] {
  const probabilities = softmaxOf(logits)
  return largest(probabilities, count).map((index) => ({
    index,
    probability: at(probabilities, index),
  }))
}

function inspectLayers(model: Network, plan: Plan | null): InspectedLayer[] {
  const shapes = model.shapes()
  return model.layers.map((layer, i) => ({
    name: layer.name,
    description: layer.description,
    outShape: at(shapes, i + 1),
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
