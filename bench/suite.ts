import { openEmoji } from '../src/data/emoji.ts'
import type { ArrayDataset } from '../src/index.ts'
import type { Peers } from './cases/common.ts'
import { type ConvLayer, convCases } from './cases/conv.ts'
import { type DenseLayer, denseCases, gemmCase } from './cases/dense.ts'
import { crossEntropyCase, normCases, poolCases, reluCases } from './cases/memory.ts'
import { networkCases } from './cases/network.ts'
import { optimizerCase } from './cases/optim.ts'
import { firstStepCases } from './cases/start.ts'
import { frozenEpochCases } from './cases/transfer.ts'
import type { Case } from './contest.ts'
import { alexnet64, torchvision as torchvisionPlan } from './networks/plan.ts'

type Layer = readonly [
  name: string,
  channels: number,
  extent: number,
  out: number,
  kernel: number,
  stride: number,
  padding: number,
  groups?: number,
]

const torchvision: readonly Layer[] = [
  ['conv1', 3, 224, 64, 11, 4, 2],
  ['conv2', 64, 27, 192, 5, 1, 2],
  ['conv3', 192, 13, 384, 3, 1, 1],
  ['conv4', 384, 13, 256, 3, 1, 1],
  ['conv5', 256, 13, 256, 3, 1, 1],
]
const small: readonly Layer[] = [
  ['64.conv1', 3, 64, 32, 5, 2, 2],
  ['64.conv2', 32, 15, 96, 5, 1, 2],
  ['64.conv3', 96, 7, 128, 3, 1, 1],
  ['64.conv4', 128, 7, 128, 3, 1, 1],
  ['64.conv5', 128, 7, 96, 3, 1, 1],
]
const grouped: Layer = ['bvlc.conv2', 96, 27, 256, 5, 1, 2, 2]

function conv(
  [name, channels, extent, out, kernel, stride, padding, groups = 1]: Layer,
  batch: number,
): ConvLayer {
  return {
    name: batch === 32 ? `${name} b32` : name,
    batch,
    channels,
    extent,
    out,
    kernel,
    stride,
    padding,
    groups,
  }
}

function dense(
  batch: number,
  ...layers: (readonly [name: string, inputs: number, outputs: number])[]
): DenseLayer[] {
  return layers.map(([name, inputs, outputs]) => ({
    name: batch === 32 ? `${name} b32` : name,
    batch,
    inputs,
    outputs,
  }))
}

const alexnet64Shapes = [
  ...small.flatMap(([, channels, , out, kernel]) => [[out, channels, kernel, kernel], [out]]),
  [512, 864],
  [512],
  [512, 512],
  [512],
  [100, 512],
  [100],
]

/**
 * Every row, in the order of the table; the whole networks come last. `quick` keeps one of each
 * kind and both networks.
 */
export async function suite(peers: Peers, quick: boolean): Promise<Case[]> {
  const fc: (readonly [string, number, number])[] = [
    ['fc6', 9216, 4096],
    ['fc7', 4096, 4096],
    ['fc8', 4096, 1000],
  ]
  const smallFc: (readonly [string, number, number])[] = [
    ['64.fc6', 864, 512],
    ['64.fc7', 512, 512],
    ['64.fc8', 512, 100],
  ]
  const batches = quick ? [8] : [8, 32]
  return [
    ...(quick ? [1024] : [256, 512, 1024, 2048]).map((size) => gemmCase(size, peers)),
    ...batches.flatMap((batch) =>
      (quick ? torchvision.filter((_, i) => i === 0 || i === 2) : torchvision).flatMap((layer) =>
        convCases(conv(layer, batch), peers),
      ),
    ),
    ...(quick ? small.slice(1, 2) : small).flatMap((layer) => convCases(conv(layer, 64), peers)),
    ...(quick ? [] : convCases(conv(grouped, 8), peers)),
    ...batches.flatMap((batch) =>
      dense(batch, ...(quick ? fc.slice(1, 2) : fc)).flatMap((layer) => denseCases(layer, peers)),
    ),
    ...dense(64, ...(quick ? smallFc.slice(0, 1) : smallFc)).flatMap((layer) =>
      denseCases(layer, peers),
    ),
    ...poolCases('pool1', [8, 64, 55, 55], peers),
    ...(quick
      ? []
      : [
          ...poolCases('pool2', [8, 192, 27, 27], peers),
          ...poolCases('64.pool1', [64, 32, 32, 32], peers),
        ]),
    // tfjs takes half a minute for the backward pass.
    ...normCases('norm1', [8, 96, 55, 55], peers).filter(
      ({ pass }) => !quick || pass === 'forward',
    ),
    ...(quick ? [] : normCases('norm2', [8, 256, 27, 27], peers)),
    ...reluCases('relu1', [8, 64, 55, 55], peers),
    ...(quick ? [] : reluCases('64.relu1', [64, 32, 32, 32], peers)),
    crossEntropyCase(64, 1000, peers),
    ...(['SGD', 'Adam'] as const).map((rule) =>
      optimizerCase(rule, 'alexnet-64', alexnet64Shapes, peers),
    ),
    ...networkCases(alexnet64, 64, peers),
    ...networkCases(torchvisionPlan, 8, peers),
    ...frozenEpochCases(quick ? every(await openEmoji(), 3) : await openEmoji(), peers),
    ...firstStepCases(peers),
  ]
}

/** Every n-th image. */
function every(data: ArrayDataset, n: number): ArrayDataset {
  const some = <T>(list: readonly T[]) => list.filter((_, i) => i % n === 0)
  return { ...data, train: some(data.train), val: some(data.val) }
}
