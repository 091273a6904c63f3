import { relative } from 'node:path'
import { bytes, counted, layersOf, thousands } from '../base/format.ts'
import type { Augmentation } from '../data/augment.ts'
import { countByClass, type ImageDataset } from '../data/dataset.ts'
import { countedEndings } from '../host/imageFormat.ts'
import { list, type Network, randomAmong } from '../nn/network.ts'
import { isAddress } from '../store/node/address.ts'
import type { Engine } from '../tensor/tensor.ts'
import type { MemoryPlan } from '../train/memoryPlan.ts'
import type { Plan } from '../transfer/scenario.ts'
import type { Output } from './output.ts'

/** Prints which adapter computes. */
export function describeEngine(output: Output, { info }: Engine): void {
  output.event({ type: 'adapter', kind: info.kind, adapter: info.adapter })
  output.labeled('adapter', `${info.adapter} (${info.kind})`)
}

/** The images of each class are counted for at most this many classes. */
const shownClasses = 24

/** Prints how many images there are to train and validate on. */
export function describeData(
  output: Output,
  data: ImageDataset,
  name = shortPath(data.root),
): void {
  const { classes, train, val, passedOver = {}, remarks = [] } = data
  output.event({
    type: 'data',
    root: data.root,
    classes,
    train: train.length,
    val: val.length,
    passedOver,
    remarks,
  })
  output.labeled(
    'data',
    [
      `${name}: ${counted(classes.length, 'class', 'classes')}`,
      `${counted(train.length, 'image')} to train on`,
      `${thousands(val.length)} to validate`,
    ].join(', '),
  )
  const trained = countByClass(train, classes.length)
  const heldOut = countByClass(val, classes.length)
  if (classes.length <= shownClasses)
    output.labeled(
      '',
      classes.map((name, label) => `${name} ${trained[label]} + ${heldOut[label]}`).join(', '),
    )
  describeReading(output, data)
}

/** Warns of images in formats that are not read, and gives the remarks of the data. */
export function describeReading(
  output: Output,
  { passedOver = {}, remarks = [] }: ImageDataset,
): void {
  for (const remark of remarks) output.warn(remark)
  const others = countedEndings(passedOver)
  if (others)
    output.warn(
      `passed over ${others}: images are read from .jpg, .jpeg, .png and .webp; ` +
        'convert or rename the others',
    )
}

/** An augmentation in words. */
export function describeAugmentation({
  crop = 'middle',
  flip,
  rotation,
  erase,
  ...colors
}: Augmentation): string {
  const crops = { middle: 'the middle', window: 'a random window' }
  const whole = (share: number) => `${Math.round(100 * share)} %`
  const changed = Object.entries(colors).filter(([, most]) => most > 0)
  return [
    typeof crop === 'string'
      ? crops[crop]
      : `a part of ${whole(crop[0])} to ${whole(crop[1])} of the area`,
    ...(flip ? [`flipped in ${whole(flip)} of cases`] : []),
    ...(rotation ? [`turned by up to ${rotation}°`] : []),
    ...changed.map(([name, most]) => `${name} ±${most}`),
    ...(erase ? [`a rectangle erased in ${whole(erase)}`] : []),
  ].join(', ')
}

/** A path relative to the current folder where that is shorter. */
export function shortPath(path: string): string {
  if (isAddress(path)) return path
  const here = relative(process.cwd(), path)
  return here && here.length < path.length ? here : path
}

/** Prints what the network is, and where its weights come from. */
export function describeNetwork(output: Output, model: Network, weights: string | null): void {
  const source = weights ? `weights ${shortPath(weights)}` : 'every weight random'
  output.labeled('network', `${model.architecture.variant}, ${source}`)
  describeRemarks(output, model)
}

/** Warns of what was ignored in the weights, and says which of several copies was taken. */
export function describeRemarks(output: Output, { remarks }: Network): void {
  for (const message of remarks) {
    output.warn(message)
    output.event({ type: 'remark', message })
  }
}

/**
 * Prints how a scenario changes the network, and why.
 * @param options.missing parameters of the network that the weights did not hold
 */
export function describePlan(
  output: Output,
  plan: Plan,
  options: { readonly missing?: readonly string[]; readonly why?: boolean } = {},
): void {
  const { missing = [], why = true } = options
  output.event({ type: 'plan', ...plan })
  output.labeled('scenario', `${plan.scenario}, from ${plan.startsFrom} weights`)
  if (why) for (const reason of plan.reasons) output.labeled('', reason)
  if (plan.cut) output.labeled('  cut', `after ${plan.cut}: ${span(plan.removed)} went`)
  else if (plan.removed.length > 1)
    output.labeled('  cut', `the FC end: ${span(plan.removed)} went`)
  describeLeft(output, plan.left)
  output.labeled(
    '  new',
    plan.added.map(({ name, description }) => `${name}: ${description}`).join(', '),
  )
  const random = randomAmong(missing)
  const zero = missing.filter((name) => !random.includes(name))
  if (random.length) output.labeled('  random', `${layersOf(random)}: not in the weights`)
  if (zero.length) output.labeled('  zero', `biases of ${layersOf(zero)}: not in the weights`)
  const valuesIn = (values: number, names: readonly string[]) =>
    `${counted(values, 'value')} in ${layersOf(names)}`
  output.labeled(
    '  frozen',
    plan.frozen.length ? valuesIn(plan.frozenValues, plan.frozen) : 'nothing',
  )
  output.labeled('  trained', valuesIn(plan.trainedValues, plan.trained))
}

/** Names the weights' own FC layers that were not used. */
export function describeLeft(output: Output, left: readonly string[]): void {
  if (left.length)
    output.labeled('  left', `${list(left)}: FC layers of the weights that do not fit`)
}

/** Prints the most memory that training needs, and what for. */
export function describeMemory(
  output: Output,
  { peakBytes, parameterBytes, gradientBytes, optimizerBytes, batchSize }: MemoryPlan,
): void {
  if (peakBytes === null) return
  const kept = [
    `parameters ${bytes(parameterBytes)}`,
    `gradients ${bytes(gradientBytes)}`,
    `optimizer ${bytes(optimizerBytes)}`,
  ]
  output.labeled(
    'memory',
    `at most ${bytes(peakBytes)} in steps of ${counted(batchSize, 'image')}: ` +
      `${kept.join(', ')}, activations the rest`,
  )
}

/** A few names, or the first and the last of many. */
function span(names: readonly string[]): string {
  return names.length > 4
    ? `${names[0]} to ${names.at(-1)}, ${names.length} layers,`
    : names.join(', ')
}
