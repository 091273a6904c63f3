/**
 * Kernels made wrong on purpose, one line each, as a bad driver or a slip of the hand would: what `graft check` has to catch and name.
 * `npx tsx test/check/mutants.ts [NAME]` tries them all; the test suite tries a few.
 */
import { pathToFileURL } from 'node:url'
import { type CheckReport, checkKernels, shownSuspects, subjects } from '../../src/check/check.ts'
import { createEngineOn } from '../../src/createEngine.ts'
import type { AdapterChoice } from '../../src/gpu/platform.ts'
import { nodeHost } from '../../src/nodeHost.ts'
import type { Host } from '../../src/tensor/host.ts'

export interface Mutant {
  readonly kind: string
  /** The file under shaders/ that is changed. */
  readonly file: string
  readonly from: string
  readonly to: string
  /** What `graft check` is asked to check. */
  readonly subject: string
}

export const mutants: readonly Mutant[] = [
  { kind: 'flipped sign', file: 'conv2d/forward.wgsl', from: 'sum += weight', to: 'sum -= weight', subject: 'conv2d' },
  {
    kind: 'off by one in padding',
    file: 'conv2d/forward.wgsl',
    from: 'row - params.padding_y >= params.height',
    to: 'row - params.padding_y > params.height',
    subject: 'conv2d',
  },
  {
    kind: 'wrong stride',
    file: 'conv2d/forward.wgsl',
    from: 'j * params.stride_x + v',
    to: 'j * params.stride_y + v + params.stride_x - 1u',
    subject: 'conv2d',
  },
  { kind: 'missing bias', file: 'conv2d/forward.wgsl', from: 'sum += bias[o];', to: '', subject: 'conv2d' },
  {
    kind: 'swapped index',
    file: 'conv2d/forward.wgsl',
    from: '(filter_base + u) * params.kernel_width + v',
    to: '(filter_base + v) * params.kernel_width + u',
    subject: 'conv2d',
  },
  {
    kind: 'wrong group',
    file: 'conv2d/forward.wgsl',
    from: '/ (params.out_channels / params.groups) * depth',
    to: '* 0u',
    subject: 'conv2d',
  },
  {
    kind: 'wrong stride',
    file: 'conv2d/backward_input.wgsl',
    from: '(row - u) % params.stride_y != 0u',
    to: '(row - u) % params.stride_x != 0u',
    subject: 'conv2d',
  },
  {
    kind: 'off by one in padding',
    file: 'conv2d/backward_input.wgsl',
    from: 'let column = j + params.padding_x;',
    to: 'let column = j + params.padding_x + 1u;',
    subject: 'conv2d',
  },
  {
    kind: 'a channel left out',
    file: 'conv2d/backward_input.wgsl',
    from: 'o < first_out + per_group',
    to: 'o + 1u < first_out + per_group',
    subject: 'conv2d',
  },
  {
    kind: 'swapped index',
    file: 'conv2d/backward_weight.wgsl',
    from: '(out_plane + i) * params.out_width + j',
    to: '(out_plane + j) * params.out_width + i',
    subject: 'conv2d',
  },
  {
    kind: 'a picture left out',
    file: 'conv2d/backward_weight.wgsl',
    from: 'n < params.batch',
    to: 'n + 1u < params.batch',
    subject: 'conv2d',
  },
  { kind: 'the last term left out', file: 'reduce/sum.wgsl', from: 'j < params.count', to: 'j + 1u < params.count', subject: 'conv2d' },
  { kind: 'missing bias', file: 'linear/product.wgsl', from: 'sum += bias[params.bias_base + col];', to: '', subject: 'linear' },
  { kind: 'swapped index', file: 'linear/product.wgsl', from: 'row * params.a_row', to: 'col * params.a_row', subject: 'linear' },
  { kind: 'flipped sign', file: 'relu/forward.wgsl', from: 'v < vec4f()', to: 'v > vec4f()', subject: 'relu' },
  {
    kind: 'swapped arms',
    file: 'relu/backward.wgsl',
    from: 'select(vec4f(), dy[i], y[i] > vec4f())',
    to: 'select(dy[i], vec4f(), y[i] > vec4f())',
    subject: 'relu',
  },
  { kind: 'the tail left out', file: 'relu/forward.wgsl', from: 'i < params.n', to: 'i + 1u < params.n', subject: 'relu' },
  {
    kind: 'wrong stride',
    file: 'max_pool2d/forward.wgsl',
    from: 'let top = i * #{STRIDE_Y}u;',
    to: 'let top = i * #{STRIDE_X}u;',
    subject: 'maxPool2d',
  },
  {
    kind: 'off by one in padding',
    file: 'max_pool2d/forward.wgsl',
    from: 'top + u - #{PADDING_Y}u',
    to: 'top + u',
    subject: 'maxPool2d',
  },
  {
    kind: 'the smallest, not the largest',
    file: 'max_pool2d/forward.wgsl',
    from: 'value > best',
    to: 'value < best',
    subject: 'maxPool2d',
  },
  {
    kind: 'a window left out',
    file: 'max_pool2d/backward.wgsl',
    from: '(KERNEL_X + STRIDE_X - 1) / STRIDE_X',
    to: 'KERNEL_X / STRIDE_X',
    subject: 'maxPool2d',
  },
  {
    kind: 'the winner of a neighbour',
    file: 'max_pool2d/forward.wgsl',
    from: 'winner[plane * outputs + t] = at;',
    to: 'winner[plane * outputs + t] = at + 1u;',
    subject: 'maxPool2d',
  },
  {
    kind: 'wrong divisor',
    file: 'adaptive_avg_pool2d/forward.wgsl',
    from: 'f32((bottom - top) * (right - left))',
    to: 'f32((bottom - top) * (bottom - top))',
    subject: 'adaptiveAvgPool2d',
  },
  {
    kind: 'off by one',
    file: 'adaptive_avg_pool2d/params.wgsl',
    from: '(i + 1u) * extent + outputs - 1u',
    to: '(i + 1u) * extent',
    subject: 'adaptiveAvgPool2d',
  },
  {
    kind: 'swapped sides',
    file: 'local_response_norm/forward.wgsl',
    from: 'first + #{c}u - #{BEFORE}u',
    to: 'first + #{c}u - #{BEHIND}u',
    subject: 'localResponseNorm',
  },
  {
    kind: 'flipped sign',
    file: 'local_response_norm/backward.wgsl',
    from: '- 2.0 * params.alpha_n',
    to: '+ 2.0 * params.alpha_n',
    subject: 'localResponseNorm',
  },
  { kind: 'wrong scale', file: 'dropout/apply.wgsl', from: ' * params.scale', to: '', subject: 'dropout' },
  { kind: 'a round too few', file: 'lib/philox.wgsl', from: 'round < 10u', to: 'round < 9u', subject: 'dropout' },
  {
    kind: 'missing maximum',
    file: 'softmax/forward.wgsl',
    from: 'exp(x[base + c] - highest) / sum',
    to: 'exp(x[base + c]) / sum',
    subject: 'softmax',
  },
  { kind: 'flipped sign', file: 'softmax/backward.wgsl', from: '(dy[base + c] - sum)', to: '(dy[base + c] + sum)', subject: 'softmax' },
  {
    kind: 'missing smoothing',
    file: 'cross_entropy/share.wgsl',
    from: ' + params.smoothing / f32(params.classes)',
    to: '',
    subject: 'crossEntropy',
  },
  { kind: 'missing scale', file: 'cross_entropy/backward.wgsl', from: ' * params.scale', to: '', subject: 'crossEntropy' },
  { kind: 'flipped sign', file: 'add/forward.wgsl', from: 'a[i] + b[i]', to: 'a[i] - b[i]', subject: 'add' },
  { kind: 'missing weight decay', file: 'optim/sgd.wgsl', from: 'g[i] + params.decay * p[i]', to: 'g[i]', subject: 'optimisers' },
  {
    kind: 'missing square',
    file: 'optim/adam.wgsl',
    from: 'params.one_minus_beta2 * d * d',
    to: 'params.one_minus_beta2 * d',
    subject: 'optimisers',
  },
  { kind: 'a guard that is ignored', file: 'optim/guard.wgsl', from: '!= 0u', to: '== 1u', subject: 'optimisers' },
  { kind: 'state that is not zero', file: 'optim/zero.wgsl', from: 'vec4f()', to: 'vec4f(0.01)', subject: 'optimisers' },
  { kind: 'swapped channels', file: 'transforms/normalise.wgsl', from: 'params.bgr != 0u', to: 'params.bgr == 0u', subject: 'transforms' },
  {
    kind: 'a tap left out',
    file: 'transforms/horizontal.wgsl',
    from: 't < params.taps',
    to: 't + 1u < params.taps',
    subject: 'transforms',
  },
  {
    kind: 'infinity passes',
    file: 'finite/count.wgsl',
    from: 'vec4u(0x7f800000u)) == vec4u(0x7f800000u)',
    to: 'vec4u(0x7fffffffu)) == vec4u(0x7fc00000u)',
    subject: 'finite',
  },
  {
    kind: 'infinity passes',
    file: 'optim/health.wgsl',
    from: '0x7f800000u) == 0x7f800000u',
    to: '0x7fc00000u) == 0x7fc00000u',
    subject: 'finite',
  },
  { kind: 'off by one in padding', file: 'contract/arrange.wgsl', from: '- params.left', to: '- params.left + 1', subject: 'conv2d' },
  { kind: 'padding that is not zero', file: 'contract/arrange.wgsl', from: 'var value = 0.0;', to: 'var value = 1.0;', subject: 'conv2d' },
  { kind: 'a picture left out', file: 'contract/arrange.wgsl', from: '< params.batch', to: '+ 1u < params.batch', subject: 'conv2d' },
  {
    kind: 'wrong stride',
    file: 'contract/pack.wgsl',
    from: 'params.depth_b * params.stride_b',
    to: 'params.depth_b * params.stride_c',
    subject: 'conv2d',
  },
  { kind: 'a row left out', file: 'contract/pack.wgsl', from: 'u < params.rows', to: 'u + 1u < params.rows', subject: 'linear' },
  {
    kind: 'the bias of a neighbour',
    file: 'contract/tile.wgsl',
    from: 'params.bias_base + first_col',
    to: 'params.bias_base + first_col + 1u',
    subject: 'linear',
  },
  {
    kind: 'wrong split',
    file: 'contract/tile.wgsl',
    from: 'let first = split * params.chunk;',
    to: 'let first = split * params.chunk + min(split, 1u);',
    subject: 'conv2d',
  },
  {
    kind: 'swapped phases',
    file: 'conv2d/interleave.wgsl',
    from: 'y % params.stride_y) * params.stride_x',
    to: '(y + 1u) % params.stride_y) * params.stride_x',
    subject: 'conv2d',
  },
  { kind: 'filter not flipped', file: 'conv2d/pack_phases.wgsl', from: '(params.taps_x - 1u - b)', to: 'b', subject: 'conv2d' },
  {
    kind: 'nothing erased',
    file: 'transforms/augment.wgsl',
    from: 'table[t + 3u] != 0.0',
    to: 'table[t + 3u] == 2.0',
    subject: 'transforms',
  },
  { kind: 'wrong decay', file: 'optim/average.wgsl', from: 'params.rate', to: '(1.01 * params.rate)', subject: 'training' },
  { kind: 'missing clip', file: 'optim/scale.wgsl', from: 'params.at', to: '(params.at - params.at)', subject: 'training' },
  { kind: 'partner of itself', file: 'mixup/mix.wgsl', from: 'partners[', to: 'i32(0) * partners[', subject: 'mixup' },
]

export interface Outcome {
  readonly caught: boolean
  /** Whether the suspects that people are told of hold the changed file, or a kernel that includes it. */
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
  if (!text.includes(from)) throw new Error(`${file} no longer holds '${from}': give the mutant another place`)
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
  return [...(files.get(shader) ?? '').matchAll(/^#include "(.+)"$/gm)].some(([, name = '']) => includes(files, name, file))
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
    const wrong = report.rows.filter(({ verdict }) => verdict !== 'ok').map(({ what, kernels }) => `${what} (${kernels})`)
    const fate = caught ? `caught by ${[...new Set(wrong)].join(', ')}` : 'NOT CAUGHT'
    console.log(`${mutant.file.padEnd(34)} ${mutant.kind.padEnd(30)} ${fate}; ${named ? `named, place ${place}` : 'NOT NAMED'}`)
  }
  console.log(`${counts.all} mutants: ${counts.caught} caught, ${counts.named} named, ${counts.first} of them first`)
  if (counts.caught < counts.all || counts.named < counts.all) process.exitCode = 1
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main()
