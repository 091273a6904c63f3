/** Questions for a class, with answers that are computed from the recording they stand beside. */
import { at } from '../base/at.ts'
import { bytes, counted, percent } from '../base/format.ts'
import { valuesIn } from './cutCosts.ts'
import { graphOf, lastCall, logitsCall, resultShape } from './graph.ts'
import type { InspectedCall, Inspection } from './inspection.ts'
import { unpackTensor } from './pack.ts'
import { largest, logitGradient, softmaxOf } from './probabilities.ts'
import { receptiveField } from './receptive.ts'

/** A question and its answer, a paragraph an entry. */
export interface Exercise {
  readonly question: string
  readonly answer: readonly string[]
}

const exact = (value: number) => value.toLocaleString('en')
const digits = (value: number) => String(Number(value.toPrecision(4)))
const pair = (value: unknown) => (Array.isArray(value) ? value.map(Number) : [Number(value)])
const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

const forwardOf = ({ calls }: Inspection, operator: string) =>
  calls.filter((call) => call.pass === 'forward' && call.operator === operator)

const shapeOf = ({ tensors }: Inspection, call: InspectedCall, name: string) =>
  tensors[call.tensors[name] ?? '']?.shape ?? null

const named = ({ layers }: Inspection, call: InspectedCall) =>
  `${call.layer} (${layers.find(({ name }) => name === call.layer)?.description ?? call.operator})`

/** The exercises that make sense for this network, easiest first. */
export function exercisesOf(inspection: Inspection): Exercise[] {
  return makers.flatMap((make) => make(inspection) ?? [])
}

type Maker = (inspection: Inspection) => Exercise | null

const firstParameters: Maker = (inspection) => {
  const [call] = forwardOf(inspection, 'conv2d')
  const weight = call && shapeOf(inspection, call, 'weight')
  if (!call || !weight) return null
  const [out, channels, height, width] = [
    at(weight, 0),
    at(weight, 1),
    at(weight, 2),
    at(weight, 3),
  ]
  const bias = call.tensors.bias ? out : 0
  return {
    question: `How many parameters does ${named(inspection, call)} have?`,
    answer: [
      `Each of its ${out} filters has ${channels} x ${height} x ${width} weights` +
        `${bias ? ' and one bias' : ''}: ${out} x ${channels} x ${height} x ${width}` +
        `${bias ? ` + ${out}` : ''} = ${exact(sizeOf(weight) + bias)}.`,
      'The size of the image does not matter: the same filters are used at every place.',
    ],
  }
}

const outputSize =
  (operator: 'conv2d' | 'maxPool2d'): Maker =>
  (inspection) => {
    const [call] = forwardOf(inspection, operator)
    const [x, y] = call ? [shapeOf(inspection, call, 'x'), resultShape(inspection, call)] : []
    if (!call || !x || !y) return null
    const kernel = at(pair(shapeOf(inspection, call, 'weight')?.slice(2) ?? call.attrs.kernel), 0)
    const [stride, padding] = [at(pair(call.attrs.stride), 0), at(pair(call.attrs.padding), 0)]
    const [input, output] = [at(x, 2), at(y, 2)]
    const up = call.attrs.ceilMode === true
    return {
      question:
        `${named(inspection, call)} reads maps of ${input} x ${at(x, 3)}, ` +
        `with padding ${padding}. ` +
        'How large are the maps that it makes?',
      answer: [
        `(size + 2 · padding − kernel) / stride + 1, rounded ${up ? 'up' : 'down'}: ` +
          `(${input} + 2 · ${padding} − ${kernel}) / ${stride} + 1 = ` +
          `${digits((input + 2 * padding - kernel) / stride + 1)}, so ${output} x ${at(y, 3)}.`,
      ],
    }
  }

const whereParametersAre: Maker = (inspection) => {
  const own = inspection.layers.filter(({ parameters }) => parameters.length)
  const total = own.reduce((sum, layer) => sum + valuesIn(layer), 0)
  const most = own.toSorted((a, b) => valuesIn(b) - valuesIn(a))[0]
  if (!most || own.length < 2) return null
  return {
    question: 'How many parameters has the whole network, and which layer has the most of them?',
    answer: [
      `${exact(total)} in ${counted(own.length, 'layer')}; ` +
        `${most.name} (${most.description}) has ` +
        `${exact(valuesIn(most))}, ${percent(valuesIn(most) / total)} of all.`,
      'A dense layer has a weight for every pair of input and output, so it is often the ' +
        'largest; ' +
        'a convolution uses its few weights again at every place, so it takes more of the time.',
    ],
  }
}

const whatTrains: Maker = (inspection) => {
  const { layers, plan } = inspection
  const parameters = layers.flatMap((layer) => layer.parameters)
  const trained = parameters.filter(({ trainable }) => trainable)
  const count = (of: typeof parameters) => of.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  if (parameters.length === 0) return null
  const names = trained.map(({ name }) => name)
  const shown = names.length > 8 ? [...names.slice(0, 8), `${names.length - 8} more`] : names
  return {
    question: 'Which parameters does a training step change here, and what part of all is that?',
    answer: [
      names.length
        ? `${shown.join(', ')}: ${exact(count(trained))} of ${exact(count(parameters))} values, ` +
          `${percent(count(trained) / count(parameters))}.`
        : 'None: all are frozen.',
      plan
        ? `That is what the scenario ${plan.scenario} chooses.`
        : 'No scenario was applied to this network.',
    ],
  }
}

const fieldOfLast: Maker = (inspection) => {
  const node = graphOf(inspection).findLast((one) => {
    const shape = resultShape(inspection, lastCall(inspection, one))
    return shape?.length === 4 && at(shape, 2) > 1
  })
  if (!node) return null
  const [, , height, width] = resultShape(inspection, lastCall(inspection, node)) ?? []
  if (!height || !width) return null
  const place = [Math.floor(height / 2), Math.floor(width / 2)] as const
  const field = receptiveField(inspection, at(node.calls, node.calls.length - 1), place)
  const { size } = inspection.preprocess
  return {
    question:
      `How many pixels of the image can one number of ${node.layer} depend on ` +
      '(its receptive field)?',
    answer: [
      `${field.height} x ${field.width} pixels; the image has ${size} x ${size}.`,
      'Begin with 1. Go through the layers from the first to this one: add (kernel − 1) times ' +
        'the ' +
        'product of all strides before. The chapter on receptive fields shows it for any number.',
    ],
  }
}

const work: Maker = (inspection) => {
  const call = forwardOf(inspection, 'conv2d').at(-1)
  const [weight, y] = call
    ? [shapeOf(inspection, call, 'weight'), resultShape(inspection, call)]
    : []
  if (!call || !weight || !y) return null
  const [outputs, each] = [sizeOf(y.slice(1)), sizeOf(weight.slice(1))]
  return {
    question: `How many multiplications does ${named(inspection, call)} make for one image?`,
    answer: [
      `Each of its ${y.slice(1).join(' x ')} outputs is a sum of ${weight.slice(1).join(' x ')} ` +
        `products: ${exact(outputs)} x ${exact(each)} = ${exact(outputs * each)}. ` +
        'With as many additions that is twice as many floating-point operations.',
    ],
  }
}

const batchMemory: Maker = (inspection) => {
  const values = graphOf(inspection).reduce(
    (sum, node) =>
      sum + sizeOf((resultShape(inspection, lastCall(inspection, node)) ?? [1, 0]).slice(1)),
    0,
  )
  if (!values) return null
  return {
    question: 'How much memory do the results of all layers take, for a batch of 32 images?',
    answer: [
      `One image makes ${exact(values)} numbers of 4 bytes, ${bytes(4 * values)}; 32 images make ` +
        `${bytes(32 * 4 * values)}.`,
      'Backward reads them again, so where everything trains they are kept; where all but the ' +
        'last layer is frozen, each can be thrown away at once.',
    ],
  }
}

const trainingMemory: Maker = ({ layers }) => {
  const total = layers.reduce((sum, layer) => sum + valuesIn(layer), 0)
  const last = layers.findLast(({ parameters }) => parameters.length > 0)
  if (!last || !total) return null
  const [all, some] = [4 * 3 * total, 4 * (total + 2 * valuesIn(last))]
  return {
    question:
      'SGD with momentum keeps a gradient and a velocity for every value that trains. How much ' +
      'memory do parameters, gradients and velocities take if everything trains, and if only ' +
      `${last.name} does?`,
    answer: [
      `Everything: 3 x ${exact(total)} x 4 bytes = ${bytes(all)}. Only ${last.name}: ` +
        `(${exact(total)} + 2 x ${exact(valuesIn(last))}) x 4 bytes = ${bytes(some)}.`,
    ],
  }
}

const deadUnits: Maker = (inspection) => {
  const call = forwardOf(inspection, 'relu')[0]
  const packed = call && inspection.tensors[call.tensors.y ?? '']
  if (!call || !packed) return null
  const values = unpackTensor(packed)
  const zeros = values.reduce((sum, value) => sum + (value === 0 ? 1 : 0), 0)
  return {
    question:
      `What does the ReLU ${call.layer} do to a negative number, ` +
      'and how often does it meet one here?',
    answer: [
      `It makes it 0: ${exact(zeros)} of ${exact(values.length)} numbers of its result are 0, ` +
        `${percent(zeros / values.length)}. What is 0 passes no gradient back either.`,
    ],
  }
}

const logitsOf = (inspection: Inspection) => {
  const call = logitsCall(inspection)
  const packed = call && inspection.tensors[call.tensors.y ?? '']
  const logits = packed ? [...unpackTensor(packed)] : []
  const probabilities = softmaxOf(logits)
  const [first, second] = largest(probabilities, 2)
  if (first === undefined || second === undefined) return null
  return { logits, probabilities, first, second }
}

const softmaxRatio: Maker = (inspection) => {
  const found = logitsOf(inspection)
  if (!found) return null
  const { logits, probabilities, first, second } = found
  const difference = at(logits, first) - at(logits, second)
  return {
    question:
      `The logits of ${inspection.classes[first]} and ${inspection.classes[second]} are ` +
      `${digits(at(logits, first))} and ${digits(at(logits, second))}. How many times likelier ` +
      'does the network take the first to be?',
    answer: [
      `softmax turns a difference into a ratio: e^${digits(difference)} = ` +
        `${digits(Math.exp(difference))} times. The probabilities are ` +
        `${percent(at(probabilities, first))} and ${percent(at(probabilities, second))}.`,
    ],
  }
}

const chanceLoss: Maker = (inspection) => {
  const found = logitsOf(inspection)
  if (!found) return null
  const classes = found.logits.length
  const target =
    inspection.target === null ? found.first : inspection.classes.indexOf(inspection.target)
  const loss = -Math.log(at(found.probabilities, target))
  return {
    question:
      `What is the cross-entropy of a network that knows nothing of ${classes} classes, and what ` +
      `is it here if the image is ${inspection.classes[target]}?`,
    answer: [
      `Each class gets 1/${classes}, and the loss is −ln(1/${classes}) = ln ${classes} = ` +
        `${digits(Math.log(classes))}. ` +
        `Here it is −ln ${digits(at(found.probabilities, target))} = ` +
        `${digits(loss)}.`,
      'A first loss far above ln of the number of classes means that a network begins with ' +
        'opinions; one far below it, that it has seen the classes before.',
    ],
  }
}

const gradientOfLogits: Maker = (inspection) => {
  const found = logitsOf(inspection)
  if (!found) return null
  const target =
    inspection.target === null ? found.first : inspection.classes.indexOf(inspection.target)
  const other = target === found.first ? found.second : found.first
  const gradient = logitGradient(found.probabilities, target)
  const of = (index: number) => `${digits(at(gradient, index))} for ${inspection.classes[index]}`
  return {
    question:
      `The image is said to be ${inspection.classes[target]}. What is the gradient of the loss ` +
      `by the logits of ${inspection.classes[target]} and of ${inspection.classes[other]}?`,
    answer: [
      'It is the probability, less 1 for the true class: ' +
        `${of(target)} (the logit has to rise), ${of(other)} (it has to fall). ` +
        'All of them add up to 0.',
    ],
  }
}

const whyFreeze: Maker = ({ layers }) => {
  const total = layers.reduce((sum, layer) => sum + valuesIn(layer), 0)
  const last = layers.findLast(({ parameters }) => parameters.length > 0)
  if (!last || !total) return null
  const images = 200
  return {
    question: `You have ${images} images. Why would you freeze all layers but the last?`,
    answer: [
      `With everything training there are ${exact(Math.round(total / images))} values for each ` +
        `image, enough to learn all ${images} by heart. With only ${last.name} there are ` +
        `${exact(Math.round(valuesIn(last) / images))}. What is frozen was learned from very ` +
        'many images, and stays as good as it was.',
    ],
  }
}

const whyLossRises: Maker = ({ history }) => {
  const best = history.reduce(
    (found, one) => (one.valLoss < (found?.valLoss ?? Number.POSITIVE_INFINITY) ? one : found),
    history[0],
  )
  const last = history.at(-1)
  const here =
    best && last
      ? [
          `In the training of this network the validation loss was lowest in epoch ${best.epoch} ` +
            `(${digits(best.valLoss)}) and ended at ${digits(last.valLoss)}, ` +
            `while the training loss ended at ${digits(last.trainLoss)}.`,
        ]
      : []
  return {
    question:
      'The loss on the training images falls and falls; the loss on the validation images falls, ' +
      'then rises. Why, and what can be done?',
    answer: [
      'From that epoch on the network learns what is special about the training images, not what ' +
        'the classes have in common: it overfits. It is also surer of its mistakes, and the ' +
        'cross-entropy counts a sure mistake dearly, so the loss may rise while the accuracy ' +
        'stays. More images, augmentation, freezing more layers, weight decay and dropout help; ' +
        'and the epoch with the best validation result can be kept.',
      ...here,
    ],
  }
}

const whyBackwardStops: Maker = (inspection) => {
  const own = inspection.layers.filter(({ parameters }) => parameters.length)
  const first = own.find(({ parameters }) => parameters.some(({ trainable }) => trainable))
  if (!first || own.length < 2) return null
  const frozen = own.indexOf(first)
  return {
    question: 'Where does backward end in a training step of this network, and why there?',
    answer: [
      frozen
        ? `At ${first.name}, the first layer that trains. The ${counted(frozen, 'layer')} with ` +
          'parameters before it are frozen: nobody asks for their gradients, so none are computed.'
        : `At ${first.name}, the first layer: everything trains. The gradient of the image ` +
          'itself is not computed, because an image is not changed.',
    ],
  }
}

const makers: readonly Maker[] = [
  firstParameters,
  outputSize('conv2d'),
  outputSize('maxPool2d'),
  deadUnits,
  whereParametersAre,
  whatTrains,
  softmaxRatio,
  chanceLoss,
  work,
  fieldOfLast,
  batchMemory,
  trainingMemory,
  gradientOfLogits,
  whyBackwardStops,
  whyFreeze,
  whyLossRises,
]
