import { at } from '../../base/at.ts'
import { WeightsError } from '../../base/errors.ts'
import { isRecord } from '../../base/json.ts'
import { quote } from '../arrays.ts'
import { show } from '../json.ts'

/** A layer with weights, by Keras's name and by torchvision's. */
export interface WeightedLayer {
  /** Its weights' names begin with this name. */
  readonly keras: string
  readonly torchvision: string
  readonly kind: 'convolution' | 'dense'
}

/** Which of Graft's networks the layers are, and their names. */
export interface AlexNetLayers {
  readonly variant: 'torchvision' | 'alexnet-64'
  readonly layers: readonly WeightedLayer[]
}

type Config = Record<string, unknown>

interface Layer {
  readonly name: string
  readonly kind: string
  readonly config: Config
}

const convolutions = ['features.0', 'features.3', 'features.6', 'features.8', 'features.10']
const dense = ['classifier.1', 'classifier.4', 'classifier.6']

/**
 * AlexNet's layers that have weights or a window, in order. Dense layers may be absent; if there
 * are fewer than three, they are named from the last one.
 */
const order = [
  'Conv2D',
  'MaxPooling2D',
  'Conv2D',
  'MaxPooling2D',
  'Conv2D',
  'Conv2D',
  'Conv2D',
  'MaxPooling2D',
]
const end = ['Flatten', 'Dense']

/** Layers that do not affect inference. */
const ignored = new Set(['InputLayer', 'Dropout'])

/** Containers are replaced by their own layers. */
const containers = new Set(['Sequential', 'Functional', 'Model'])

/**
 * Finds AlexNet in the topology of a Keras model.
 *
 * @param topology `modelTopology`, as Keras's converter or TensorFlow.js writes it
 * @throws WeightsError that names the first layer which is not AlexNet's
 */
export function findAlexNet(topology: unknown): AlexNetLayers {
  const model =
    isRecord(topology) && isRecord(topology.model_config) ? topology.model_config : topology
  const found = withActivations(layersOf(model))
  const more = Math.min(Math.max(found.length - order.length - end.length, 0), dense.length - 1)
  const wanted =
    found.length > order.length ? [...order, ...end, ...Array<string>(more).fill('Dense')] : order
  const position = wanted.findIndex((kind, i) => found[i]?.layer.kind !== kind)
  if (position >= 0 || found.length > wanted.length) {
    const place = position < 0 ? wanted.length : position
    const there = found[place]
    throw new WeightsError(
      `${there ? describe(there.layer) : 'the end of the model'} stands where AlexNet has ` +
        `${wanted[place] ? `a ${wanted[place]}` : 'its end'}; its layers are ${wanted.join(', ')}`,
    )
  }
  const first = found[0]
  if (!first) throw new WeightsError('the model has no layers')
  const variant = firstConvolution(first)
  for (const step of found)
    checkStep(step, step === first, step === found.at(-1) && step.layer.kind === 'Dense')
  const named = (keras: string, kind: WeightedLayer['kind'], names: readonly string[]) =>
    found
      .filter(({ layer }) => layer.kind === keras)
      .map(({ layer }, i) => ({ keras: layer.name, torchvision: at(names, i), kind }))
  const denses = found.filter(({ layer }) => layer.kind === 'Dense').length
  const layers = [
    ...named('Conv2D', 'convolution', convolutions),
    ...named('Dense', 'dense', dense.slice(dense.length - denses)),
  ]
  return { variant, layers }
}

function layersOf(model: unknown): Layer[] {
  const config = isRecord(model) ? model.config : undefined
  const list = Array.isArray(config) ? config : isRecord(config) ? config.layers : undefined
  if (!Array.isArray(list))
    throw new WeightsError('its modelTopology has no list of layers; save it as a layers model')
  return list.flatMap((layer): Layer[] => {
    if (!isRecord(layer) || typeof layer.class_name !== 'string' || !isRecord(layer.config))
      throw new WeightsError(
        'a layer of its modelTopology has no class_name and config; convert the model again',
      )
    if (containers.has(layer.class_name)) return layersOf(layer)
    return [
      {
        name: textOr(layer.config.name ?? layer.name, ''),
        kind: layer.class_name,
        config: layer.config,
      },
    ]
  })
}

/** A layer with the padding before it and the activation in it or after it. */
interface Step {
  readonly layer: Layer
  readonly padding: number
  activation: string
}

function withActivations(layers: readonly Layer[]): Step[] {
  const steps: Step[] = []
  let padding = 0
  for (const layer of layers) {
    const { kind, config } = layer
    const last = steps.at(-1)
    if (ignored.has(kind)) continue
    if (kind === 'ZeroPadding2D') padding += zeroPadding(layer)
    else if (kind === 'Activation' || kind === 'ReLU' || kind === 'Softmax') {
      if (last?.activation !== 'linear')
        throw new WeightsError(`${describe(layer)} stands where AlexNet has no activation`)
      last.activation = kind === 'Activation' ? textOr(config.activation) : kind.toLowerCase()
    } else {
      steps.push({ layer, padding, activation: textOr(config.activation) })
      padding = 0
    }
  }
  return steps
}

function zeroPadding(layer: Layer): number {
  const sides = [layer.config.padding].flat(2)
  if (sides.some((side) => side !== sides[0]) || typeof sides[0] !== 'number')
    throw new WeightsError(`${describe(layer)} pads its sides differently, as AlexNet does not`)
  return sides[0]
}

/**
 * 11x11 with stride 4 is torchvision's, on 224x224 padded by 2 or on 227x227 as it is: the same
 * windows. 5x5 with stride 2 is alexnet-64's.
 */
function firstConvolution({ layer, padding }: Step): AlexNetLayers['variant'] {
  const [kernel, stride] = [square(layer, 'kernel_size'), square(layer, 'strides')]
  const valid = layer.config.padding === 'valid'
  if (kernel === 11 && stride === 4 && valid && (padding === 2 || padding === 0))
    return 'torchvision'
  if (kernel === 5 && stride === 2 && valid && padding === 2) return 'alexnet-64'
  throw new WeightsError(
    `${describe(layer)} is ${kernel}x${kernel}, stride ${stride}, ` +
      `padding ${padding || textOr(layer.config.padding, 'valid')}; ` +
      'AlexNet begins with 11x11, stride 4, padding 2 or valid, ' +
      'alexnet-64 with 5x5, stride 2, padding 2',
  )
}

function checkStep({ layer, padding, activation }: Step, first: boolean, last: boolean): void {
  const { kind, config } = layer
  const fail = (problem: string): never => {
    throw new WeightsError(`${describe(layer)} ${problem}, as AlexNet does not`)
  }
  if (config.data_format === 'channels_first') fail('has its channels first')
  const allowed =
    kind === 'Conv2D' || (kind === 'Dense' && !last)
      ? ['relu']
      : kind === 'Dense'
        ? ['linear', 'softmax']
        : ['linear']
  if (!allowed.includes(activation)) fail(`has the activation ${quote(activation)}`)
  if (config.use_bias === false) fail('has no bias')
  if (
    kind === 'MaxPooling2D' &&
    (square(layer, 'pool_size') !== 3 ||
      square(layer, 'strides') !== 2 ||
      config.padding !== 'valid' ||
      padding)
  )
    fail('is not 3x3 with stride 2 and padding valid')
  if (kind !== 'Conv2D' || first) return
  const kernel = square(layer, 'kernel_size')
  const same = config.padding === 'same' ? !padding : padding === (kernel - 1) / 2
  if (square(layer, 'strides') !== 1 || square(layer, 'dilation_rate', 1) !== 1 || !same)
    fail('is not of stride 1 with padding same')
}

/** A size that is the same in both directions; Keras gives one number or two. */
function square(layer: Layer, key: string, otherwise?: number): number {
  const sizes = [layer.config[key] ?? otherwise].flat()
  if (typeof sizes[0] !== 'number' || sizes.some((size) => size !== sizes[0]))
    throw new WeightsError(
      `${describe(layer)} has the ${key} ${show(layer.config[key])}, which AlexNet does not`,
    )
  return sizes[0]
}

function textOr(value: unknown, otherwise = 'linear'): string {
  return typeof value === 'string' ? value : otherwise
}

function describe({ kind, name }: Layer): string {
  return `the ${kind.slice(0, 40)} layer ${quote(name)}`
}
