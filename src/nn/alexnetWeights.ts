/** What a file of weights gives to an AlexNet, whatever trained it. */
import { UsageError, WeightsError } from '../base/errors.ts'
import { option, optionText } from '../base/optionText.ts'
import {
  type LoadOptions,
  type NamedArray,
  requireFinite,
  type StateDict,
} from '../base/stateDict.ts'
import type { Host } from '../host/host.ts'
import { sameShape, showShape } from '../tensor/ndbuffer.ts'
import { labeled, listNames } from '../weights/arrays.ts'
import { areCaffes, findNames } from '../weights/names.ts'
import { list, type Network } from './network.ts'

/** Weights as they were read: AlexNet's and others, by torchvision's names. */
export interface ReadWeights {
  readonly tensors: StateDict
  readonly metadata: Readonly<Record<string, string>>
  readonly ignored: readonly string[]
  readonly remarks: readonly string[]
}

/**
 * torchvision's numbers of the five convolutions. Caffe calls them conv1 to conv5, and the FC
 * layers fc6 to fc8.
 */
const convolutionNumbers = [0, 3, 6, 8, 10] as const
const caffeNames: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    convolutionNumbers.map((number, i) => [`conv${i + 1}`, `features.${number}`]),
  ),
  fc6: 'classifier.1',
  fc7: 'classifier.4',
  fc8: 'classifier.6',
}

/**
 * Reads the weights that the options name; null if they name none.
 * @throws UsageError where an option says where in a file the weights are, and there is no file
 */
export async function readWeights(
  host: Pick<Host, 'loadWeights'>,
  { weights, weightsKey, weightsPrefix }: LoadOptions & { readonly weights?: string | StateDict },
): Promise<ReadWeights | null> {
  if (typeof weights === 'string') {
    const file = await host.loadWeights(weights, { weightsKey, weightsPrefix })
    try {
      return ofAlexNet(file)
    } catch (cause) {
      throw labeled(weights, cause)
    }
  }
  const needless = weights === undefined && weightsPrefix !== undefined ? 'weightsPrefix' : null
  if (weightsKey !== undefined || needless)
    throw new UsageError(
      optionText`${option(needless ?? 'weightsKey')} says where in a file the weights are, and
        ${option('weights')} names no file: leave it out`,
    )
  if (!weights) return null
  const { names, ignored, remarks } = findNames(Object.keys(weights), weightsPrefix)
  const named = Object.entries(weights).flatMap(([name, array]): [string, NamedArray][] => {
    const own = names.get(name)
    return own === undefined ? [] : [[own, array]]
  })
  return ofAlexNet({ tensors: Object.fromEntries(named), metadata: {}, ignored, remarks })
}

/** Those of AlexNet's layers by torchvision's names; all others are ignored. */
function ofAlexNet({
  tensors: read,
  metadata,
  ignored = [],
  remarks = [],
}: Awaited<ReturnType<Host['loadWeights']>>): ReadWeights {
  const caffe = areCaffes(new Set(Object.keys(read)))
  const tensors = new Map<string, NamedArray>()
  const others: string[] = []
  for (const [name, array] of Object.entries(read)) {
    const own = caffe ? torchvisionName(name) : name
    if (/^(?:features|classifier)\./.test(own)) tensors.set(own, array)
    else others.push(name)
  }
  if (tensors.size === 0)
    throw new WeightsError(
      others.length > 0
        ? notAlexNet(others)
        : 'none of the network’s parameters is in these weights: they hold no arrays',
    )
  return {
    tensors: Object.fromEntries(tensors),
    metadata,
    ignored: [...ignored, ...others],
    remarks:
      others.length > 0
        ? [...remarks, `ignored, as AlexNet has no such layers: ${listNames(others)}`]
        : remarks,
  }
}

function notAlexNet(names: readonly string[]): string {
  return `the weights are not an AlexNet's: they have ${listNames(names)}, and no features.0.weight`
}

/** torchvision's name of a parameter that has Caffe's. */
function torchvisionName(name: string): string {
  const [layer = '', kind] = name.split('.')
  const torchvision = Object.hasOwn(caffeNames, layer) ? caffeNames[layer] : undefined
  return torchvision && (kind === 'weight' || kind === 'bias') ? `${torchvision}.${kind}` : name
}

/**
 * Gives a new network its weights. FC layers of the weights that are not the network's, or have
 * other shapes, are left out and named in `model.left`.
 * @param options.headMustFit whether other shapes in the FC layers are an error
 * @param options.where the file of the weights, for the message
 * @throws WeightsError for what does not fit, NonFiniteError for NaN or an infinity
 */
export function fillNetwork(
  model: Network,
  { tensors, ignored, remarks }: ReadWeights,
  { headMustFit, where }: { readonly headMustFit: boolean; readonly where: string },
): void {
  const shapes = new Map(model.parameters().map(({ name, shape }) => [name, shape]))
  const entries = Object.entries(tensors)
  const unknown = entries.filter(([name]) => !shapes.has(name)).map(([name]) => name)
  const strange = unknown.filter((name) => name.startsWith('features.'))
  if (strange.length > 0)
    throw new WeightsError(
      `AlexNet has no parameter ${list(strange)}: its convolutions, features.0, .3, .6, .8 and ` +
        '.10, have a weight and a bias each; merge or remove what was added, and save again',
    )
  const unfit = entries.flatMap(([name, { shape }]) => {
    const wanted = shapes.get(name)
    return wanted && !sameShape(shape, wanted) ? [{ name, shape, wanted }] : []
  })
  const wrong = unfit.find(({ name }) => headMustFit || name.startsWith('features.'))
  if (wrong)
    throw new WeightsError(
      optionText`${wrong.name} has the shape ${showShape(wrong.shape)} in the weights,
        ${showShape(wrong.wanted)} in the network: it does not fit ${model.architecture.variant}; if
        the weights are of another AlexNet, ${option('variant')} says which`,
    )
  const unfitLayers = new Set(unfit.map(({ name }) => layerOf(name)))
  const isLeft = (name: string) => !shapes.has(name) || unfitLayers.has(layerOf(name))
  const fitting = entries.filter(([name]) => !isLeft(name))
  if (fitting.length === 0)
    throw new WeightsError(notAlexNet([...entries.map(([name]) => name), ...ignored]))
  const own = Object.fromEntries(fitting)
  requireFinite(own, where)
  model.missing = model.loadStateDict(own, { strict: false }).missing
  model.left = entries
    .filter(([name]) => isLeft(name))
    .map(([name, { shape }]) => `${name} ${showShape(shape)}`)
  model.ignored = ignored
  model.remarks = remarks
  model.pretrained = true
}

function layerOf(parameter: string): string {
  return parameter.slice(0, parameter.lastIndexOf('.'))
}

/** The output channels of the five convolutions; of those that are not there, the usual ones. */
export function channelsOf(tensors: StateDict, usual: readonly number[]): readonly number[] {
  return usual.map(
    (width, i) => widthOf(tensors[`features.${convolutionNumbers[i]}.weight`], 4) ?? width,
  )
}

/** The outputs of a layer by its weight or bias, if that has the right number of dimensions. */
export function widthOf(array: NamedArray | undefined, dimensions: number): number | undefined {
  const outputs = array?.shape.length === dimensions ? array.shape[0] : undefined
  return outputs === 0 ? undefined : outputs
}

/**
 * Recognizes the variant of weights without metadata: alexnet-64 starts with a 5x5 kernel, and the
 * second convolution of bvlc sees half the channels of the first. In weights that were cut before
 * the second, the first tells by its 96 channels.
 */
export function variantByShapes(
  tensors: StateDict,
): 'alexnet-64' | 'bvlc' | 'torchvision' | undefined {
  const first = tensors['features.0.weight']?.shape
  if (!first) return undefined
  if (first[3] === 5) return 'alexnet-64'
  const inputs = tensors['features.3.weight']?.shape[1] ?? (first[0] === 96 ? 48 : first[0])
  return inputs !== undefined && 2 * inputs === first[0] ? 'bvlc' : 'torchvision'
}
