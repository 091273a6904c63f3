/**
 * Kernels made wrong on purpose, one line each, as a bad driver or a slip of the hand would: what
 * `graft check` has to catch and name. `npx tsx test/check/mutants.ts [NAME]` tries them all; the
 * test suite tries a few.
 */
import { pathToFileURL } from 'node:url'
import { type CheckReport, checkKernels, shownSuspects } from '../../src/check/check.ts'
import { subjects } from '../../src/check/subjects.ts'
import { createEngineOn } from '../../src/createEngine.ts'
import type { AdapterChoice, Host } from '../../src/host/host.ts'
import { nodeHost } from '../../src/nodeHost.ts'

export interface Mutant {
  readonly kind: string
  /** The file under shaders/ that is changed. */
  readonly file: string
  readonly from: string
  readonly to: string
  /** What `graft check` is asked to check. */
  readonly subject: string
}

/**
 * Under each subject of `graft check` the files that are changed, and in each the kind of slip,
 * what is written there, and what in its place.
 */
const changes: Readonly<
  Record<
    string,
    Readonly<Record<string, readonly (readonly [kind: string, from: string, to: string])[]>>
  >
> = {
  conv2d: {
    'conv2d/forward.wgsl': [
      ['flipped sign', 'sum += weight', 'sum -= weight'],
      [
        'off by one in padding',
        'row - params.padding_y >= params.height',
        'row - params.padding_y > params.height',
      ],
      ['wrong stride', 'j * params.stride_x + v', 'j * params.stride_y + v + params.stride_x - 1u'],
      ['missing bias', 'sum += bias[o];', ''],
      ['missing ReLU', 'params.relu != 0u && ', 'params.relu == 2u && '],
      [
        'swapped index',
        '(filter_base + u) * params.kernel_width + v',
        '(filter_base + v) * params.kernel_width + u',
      ],
      ['wrong group', '/ (params.out_channels / params.groups) * depth', '* 0u'],
    ],
    'conv2d/backward_input.wgsl': [
      ['wrong stride', '(row - u) % params.stride_y != 0u', '(row - u) % params.stride_x != 0u'],
      [
        'off by one in padding',
        'let column = j + params.padding_x;',
        'let column = j + params.padding_x + 1u;',
      ],
      ['a channel left out', 'o < first_out + per_group', 'o + 1u < first_out + per_group'],
    ],
    'conv2d/backward_weight.wgsl': [
      [
        'swapped index',
        '(out_plane + i) * params.out_width + j',
        '(out_plane + j) * params.out_width + i',
      ],
      ['an image left out', 'n < params.batch', 'n + 1u < params.batch'],
    ],
    'reduce/sum.wgsl': [['the last term left out', 'j < params.count', 'j + 1u < params.count']],
    'contract/arrange.wgsl': [
      ['off by one in padding', '- params.left', '- params.left + 1'],
      ['padding that is not zero', 'var value = 0.0;', 'var value = 1.0;'],
      ['an image left out', '< params.batch', '+ 1u < params.batch'],
    ],
    'contract/pack.wgsl': [
      ['wrong stride', 'params.depth1 * params.k1_stride', 'params.depth1 * params.k2_stride'],
    ],
    'contract/tile.wgsl': [
      [
        'wrong split',
        'let first_k0 = split * params.chunk;',
        'let first_k0 = split * params.chunk + min(split, 1u);',
      ],
      ['ReLU of the wrong side', 'value < ', 'value > '],
    ],
    'conv2d/interleave.wgsl': [
      [
        'swapped phases',
        'y % params.stride_y) * params.stride_x',
        '(y + 1u) % params.stride_y) * params.stride_x',
      ],
    ],
    'conv2d/pack_phases.wgsl': [['filter not flipped', '(params.taps_x - 1u - b)', 'b']],
    'depthwise/forward.wgsl': [
      ['off by one in padding', 'first_j * #{STRIDE_X}u - #{PADDING_X}u', 'first_j * #{STRIDE_X}u'],
      ['a channel for another', 'o / params.multiplier', 'o % params.channels'],
      ['missing bias', 'let start = bias[o];', 'let start = 0.0;'],
      ['ReLU of the wrong side', 'sum#{r}_#{c} < 0.0', 'sum#{r}_#{c} > 0.0'],
    ],
    'depthwise/backward_input.wgsl': [
      ['a filter left out', 'm < params.multiplier', 'm < 1u'],
      ['filter not flipped', 'dy#{a + TAPS_X - 1 - q}', 'dy#{a + q}'],
    ],
    'depthwise/backward_weight.wgsl': [
      ['a tile left out', 'tile < tiles', 'tile + 1u < tiles'],
      ['an image for another', 'image * params.chunks + k', 'k'],
    ],
  },
  linear: {
    'linear/product.wgsl': [
      ['missing bias', 'sum += bias[params.bias_base + col];', ''],
      ['a ReLU nobody asked for', 'params.relu != 0u && ', ''],
      ['swapped index', 'row * params.a_row', 'col * params.a_row'],
    ],
    'contract/pack.wgsl': [['a row left out', 'u < params.rows', 'u + 1u < params.rows']],
    'contract/tile.wgsl': [
      [
        'the bias of a neighbor',
        'params.bias_base + first_col',
        'params.bias_base + first_col + 1u',
      ],
      [
        'rows of the first panel in every other',
        '(plane * params.panels + panel) * params.a_panel_stride',
        'plane * params.a_panel_stride',
      ],
      ['missing ReLU', 'let relu = params.relu != 0u;', 'let relu = params.relu == 2u;'],
    ],
  },
  relu: {
    'relu/forward.wgsl': [
      ['flipped sign', 'v < vec4f()', 'v > vec4f()'],
      ['the tail left out', 'i < end', 'i + 1u < end'],
    ],
    'relu/backward.wgsl': [
      [
        'swapped arms',
        'select(vec4f(), dy[i], y[i] > vec4f())',
        'select(dy[i], vec4f(), y[i] > vec4f())',
      ],
    ],
  },
  maxPool2d: {
    'max_pool2d/forward.wgsl': [
      ['wrong stride', 'let top = i * #{STRIDE_Y}u;', 'let top = i * #{STRIDE_X}u;'],
      ['off by one in padding', 'top + u - #{PADDING_Y}u', 'top + u'],
      ['the smallest, not the largest', 'value > best', 'value < best'],
      [
        'the winner of a neighbor',
        'winner[plane * outputs + t] = at;',
        'winner[plane * outputs + t] = at + 1u;',
      ],
    ],
    'max_pool2d/backward.wgsl': [
      ['a window left out', '(KERNEL_X + STRIDE_X - 1) / STRIDE_X', 'KERNEL_X / STRIDE_X'],
    ],
  },
  adaptiveAvgPool2d: {
    'adaptive_avg_pool2d/forward.wgsl': [
      [
        'wrong divisor',
        'f32((bottom - top) * (right - left))',
        'f32((bottom - top) * (bottom - top))',
      ],
    ],
    'adaptive_avg_pool2d/params.wgsl': [
      ['off by one', '(i + 1u) * extent + outputs - 1u', '(i + 1u) * extent'],
    ],
  },
  localResponseNorm: {
    'local_response_norm/forward.wgsl': [
      ['swapped sides', 'first + #{c}u - #{BEFORE}u', 'first + #{c}u - #{BEHIND}u'],
    ],
    'local_response_norm/backward.wgsl': [
      ['flipped sign', '- 2.0 * params.alpha_n', '+ 2.0 * params.alpha_n'],
    ],
  },
  dropout: {
    'dropout/apply.wgsl': [['wrong scale', ' * held.scale', '']],
    'lib/philox.wgsl': [['a round too few', 'round < 10u', 'round < 9u']],
  },
  softmax: {
    'softmax/forward.wgsl': [
      ['missing maximum', 'exp(x[base + c] - highest) / sum', 'exp(x[base + c]) / sum'],
      ['the smallest, not the largest', 'max(highest', 'min(highest'],
    ],
    'softmax/backward.wgsl': [['flipped sign', '(dy[base + c] - sum)', '(dy[base + c] + sum)']],
  },
  crossEntropy: {
    'cross_entropy/share.wgsl': [
      ['missing smoothing', ' + params.smoothing / f32(params.classes)', ''],
    ],
    'cross_entropy/forward.wgsl': [
      ['missing scale', 'params.scale * (', '('],
      ['the smallest, not the largest', 'max(highest', 'min(highest'],
    ],
    'cross_entropy/backward.wgsl': [
      ['a row for another', 'i / params.classes', 'i % params.classes'],
    ],
  },
  add: {
    'add/forward.wgsl': [
      ['flipped sign', 'a[i] + b[i]', 'a[i] - b[i]'],
      ['ReLU of the wrong side', 'sum < vec4f()', 'sum > vec4f()'],
    ],
  },
  concat: {
    'concat/copy.wgsl': [
      [
        'the first row in every other',
        'row * params.from_row',
        'params.from_row - params.from_row',
      ],
      ['written where it is read', '+ params.to_first', '+ params.from_first'],
    ],
  },
  avgPool2d: {
    'avg_pool2d/forward.wgsl': [
      ['off by one in padding', 'j * #{STRIDE_X}u - #{PADDING_X}u', 'j * #{STRIDE_X}u'],
      ['swapped index', 'sum / divisor(i, j)', 'sum / divisor(j, i)'],
    ],
    'avg_pool2d/backward.wgsl': [
      ['a window left out', '(KERNEL_X + STRIDE_X - 1) / STRIDE_X', 'KERNEL_X / STRIDE_X'],
    ],
    'avg_pool2d/params.wgsl': [
      ['padding counted once', 'extent + 2u * padding', 'extent + padding'],
      ['padding that counts', '- max(start, padding)', '- start'],
    ],
  },
  batchNorm: {
    'batch_norm/moments.wgsl': [
      ['a sum of values, not of distances', 'sum += x[i] - start', 'sum += x[i]'],
      ['the last vectors left out', 'i < end', 'i + 1u < end'],
    ],
    'batch_norm/merge.wgsl': [
      ['distance of the means left out', ' + distance * distance * (all.x * share)', ''],
      ['a population, not a sample', '(all.x - 1.0)', 'all.x'],
      ['the mean does not move', 'params.momentum * (all.y', '0.0 * (all.y'],
    ],
    'batch_norm/normalize.wgsl': [
      ['missing epsilon', 'variance[c] + params.epsilon', 'variance[c]'],
      ['a channel for another', 'row % params.channels', 'row / params.channels'],
      ['missing bias', '* scale + shift', '* scale'],
    ],
    'batch_norm/sums.wgsl': [
      ['missing mean', '(x[i] - center)', 'x[i]'],
      ['ReLU of the wrong side', 'y[i] > Values()', 'y[i] < Values()'],
    ],
    'batch_norm/backward_input.wgsl': [
      ['statistics that do not depend on x', ' - average - (x[i] - center) * slope', ''],
      ['missing square', 'inverse * inverse * sums[c].y', 'inverse * sums[c].y'],
    ],
    'batch_norm/backward_channel.wgsl': [
      ['missing deviation', 'gradient[c] = inverse * sums[c].y', 'gradient[c] = sums[c].y'],
    ],
  },
  relu6: {
    'relu6/relu6.wgsl': [
      ['no upper bound', 'x > vec4f(6.0)', 'x > vec4f(1e30)'],
      ['a gradient at 6', '(y >= vec4f(6.0))', '(y > vec4f(6.0))'],
    ],
  },
  clamp: {
    'clamp/clamp.wgsl': [
      ['swapped bounds', 'high, x > high', 'low, x > high'],
      ['no gradient at the bound', 'x >= vec4f(params.low)', 'x > vec4f(params.low)'],
    ],
  },
  sigmoid: {
    'lib/logistic.wgsl': [['one side only', 'select(power, vec4f(1.0), x >= vec4f())', 'power']],
    'sigmoid/sigmoid.wgsl': [['flipped sign', '(1.0 - y)', '(1.0 + y)']],
  },
  silu: {
    'silu/silu.wgsl': [['missing factor', 'return x * logistic(x)', 'return logistic(x)']],
    'lib/pointwise.wgsl': [['the tail left out', 'i < end', 'i + 1u < end']],
  },
  hardswish: {
    'hardswish/hardswish.wgsl': [['wrong slope', 'x / 3.0 + 0.5', 'x / 6.0 + 0.5']],
  },
  optimizers: {
    'optim/sgd.wgsl': [['missing weight decay', 'g[i] + held.decay * p[i]', 'g[i]']],
    'optim/adam.wgsl': [
      ['missing square', 'held.one_minus_beta2 * d * d', 'held.one_minus_beta2 * d'],
    ],
    'optim/guard.wgsl': [['a guard that is ignored', '!= 0u', '== 1u']],
    'optim/zero.wgsl': [['state that is not zero', 'vec4f()', 'vec4f(0.01)']],
  },
  transforms: {
    'transforms/normalize.wgsl': [['swapped channels', 'params.bgr != 0u', 'params.bgr == 0u']],
    'transforms/horizontal.wgsl': [['a tap left out', 't < params.taps', 't + 1u < params.taps']],
    'transforms/augment.wgsl': [['nothing erased', 'table[t + 3u] != 0.0', 'table[t + 3u] == 2.0']],
  },
  finite: {
    'finite/count.wgsl': [
      [
        'infinity passes',
        'vec4u(0x7f800000u)) == vec4u(0x7f800000u)',
        'vec4u(0x7fffffffu)) == vec4u(0x7fc00000u)',
      ],
    ],
    'optim/health.wgsl': [
      ['infinity passes', '0x7f800000u) == 0x7f800000u', '0x7fc00000u) == 0x7fc00000u'],
    ],
  },
  training: {
    'optim/average.wgsl': [['wrong decay', 'params.rate', '(1.01 * params.rate)']],
    'optim/scale.wgsl': [['missing clip', 'params.at', '(params.at - params.at)']],
  },
  mixup: {
    'mixup/mix.wgsl': [['partner of itself', 'partners[', 'i32(0) * partners[']],
  },
}

export const mutants: readonly Mutant[] = Object.entries(changes).flatMap(([subject, files]) =>
  Object.entries(files).flatMap(([file, list]) =>
    list.map(([kind, from, to]) => ({ kind, file, from, to, subject })),
  ),
)

export interface Outcome {
  readonly caught: boolean
  /**
   * Whether the suspects that people are told of hold the changed file, or a kernel that includes
   * it.
   */
  readonly named: boolean
  /** Its place among them, from 1. */
  readonly place: number
  readonly report: CheckReport
}

const adapter = (process.env.GRAFT_ADAPTER ?? 'auto') as AdapterChoice

/**
 * Checks one subject on engines whose shaders have the mutant's change.
 * @throws Error where the file no longer holds what the mutant changes
 */
export async function tryMutant({ file, from, to, subject }: Mutant): Promise<Outcome> {
  const files = new Map(await nodeHost.readShaders())
  const text = files.get(file) ?? ''
  if (!text.includes(from))
    throw new Error(`${file} no longer holds '${from}': give the mutant another place`)
  files.set(file, text.replaceAll(from, to))
  const platform: Host = { ...nodeHost, readShaders: async () => files }
  const fast = await createEngineOn(platform, { adapter })
  const plain = await createEngineOn(platform, { adapter, kernels: 'plain' })
  try {
    const chosen = subjects.filter(({ name }) => name === subject)
    const report = await checkKernels({ fast, plain }, chosen)
    const place = 1 + report.suspects.findIndex((suspect) => includes(files, suspect.file, file))
    return { caught: !report.ok, named: place > 0 && place <= shownSuspects, place, report }
  } finally {
    fast.dispose()
    plain.dispose()
  }
}

/** Whether a shader is the file, or includes it. */
function includes(files: ReadonlyMap<string, string>, shader: string, file: string): boolean {
  if (shader === file) return true
  return [...(files.get(shader) ?? '').matchAll(/^#include "(.+)"$/gm)].some(([, name = '']) =>
    includes(files, name, file),
  )
}

async function main(): Promise<void> {
  const wanted = process.argv[2] ?? ''
  const counts = { all: 0, caught: 0, named: 0, first: 0 }
  for (const mutant of mutants.filter(({ file, kind }) => `${file} ${kind}`.includes(wanted))) {
    const { caught, named, place, report } = await tryMutant(mutant)
    counts.all++
    if (caught) counts.caught++
    if (named) counts.named++
    if (place === 1) counts.first++
    const wrong = report.rows
      .filter(({ verdict }) => verdict !== 'ok')
      .map(({ what, kernels }) => `${what} (${kernels})`)
    const fate = caught ? `caught by ${[...new Set(wrong)].join(', ')}` : 'NOT CAUGHT'
    console.log(
      `${mutant.file.padEnd(34)} ${mutant.kind.padEnd(30)} ${fate}; ${named ? `named, place ${place}` : 'NOT NAMED'}`,
    )
  }
  console.log(
    `${counts.all} mutants: ${counts.caught} caught, ${counts.named} named, ${counts.first} of them first`,
  )
  if (counts.caught < counts.all || counts.named < counts.all) process.exitCode = 1
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main()
