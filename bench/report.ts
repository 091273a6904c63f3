import type { Peak } from './limit.ts'
import { type PeerTime, peers, type Results, type Row } from './results.ts'

const columns: readonly (readonly [string, number, (row: Row) => string])[] = [
  ['row', 30, ({ name, pass }) => `${name} ${pass}`],
  ['Graft ms', 10, ({ graft: { ms } }) => (ms === null ? 'failed' : milliseconds(ms))],
  [
    '±',
    6,
    ({ graft: { ms, spread } }) =>
      ms === null || !spread ? '' : `${((50 * (spread[1] - spread[0])) / ms).toFixed(0)} %`,
  ],
  ['GFLOP/s', 8, ({ graft: { gflops } }) => gflops?.toFixed(1) ?? ''],
  ['limit', 6, ({ graft: { share } }) => (share === null ? '' : `${(100 * share).toFixed(0)} %`)],
  ['tfjs', 9, ({ tfjs_webgpu }) => other(tfjs_webgpu)],
  ['ratio', 8, ({ ratio }) => ratio?.toFixed(ratio < 100 ? 2 : 0) ?? ''],
  ['wasm', 9, ({ tfjs_wasm }) => other(tfjs_wasm)],
  ['cpu', 9, ({ tfjs_cpu }) => other(tfjs_cpu)],
  ['jax-js', 9, ({ jaxjs }) => other(jaxjs)],
  ['ort', 9, ({ ort }) => other(ort)],
  ['PyTorch', 9, ({ pytorch }) => other(pytorch)],
]

/** The first line of the table on the terminal. */
export function titles(): string {
  return columns
    .map(([title, width], i) => (i ? title.padStart(width) : title.padEnd(width)))
    .join('')
}

/** A row of the table on the terminal, with its errors below it. */
export function line(row: Row): string {
  const text = columns
    .map(([, width, cell], i) => (i ? cell(row).padStart(width) : cell(row).padEnd(width)))
    .join('')
  const errors = peers.flatMap((who) => (row[who]?.error ? [`  ${who}: ${row[who].error}`] : []))
  return [text.trimEnd(), ...(row.agree ? [] : [`  graft: ${row.note}`]), ...errors].join('\n')
}

/** Milliseconds with about three digits. */
export function milliseconds(ms: number): string {
  return ms < 1 ? ms.toFixed(3) : ms < 100 ? ms.toFixed(2) : ms.toFixed(0)
}

/** A peer's time; an exclamation mark says that its values are wrong. */
function other(peer: PeerTime | undefined): string {
  if (!peer) return ''
  return peer.ms === null ? 'failed' : `${milliseconds(peer.ms)}${peer.error ? '!' : ''}`
}

const notMeasured = 'not measured'

/** The summary in words and figures. */
export function figures({
  summary,
}: Results): readonly (readonly [what: string, figure: string])[] {
  const show = (value: number | null, digits: number, unit: string) =>
    value === null ? notMeasured : `${value.toFixed(digits)} ${unit}`
  const percent = (value: number | null) => show(value === null ? null : 100 * value, 0, '%')
  const { torchvision, alexnet64 } = summary.trainStepRatio
  return [
    ['tfjs WebGPU over Graft, geometric mean of all rows', show(summary.geomeanRatio, 1, 'times')],
    ['tfjs WebGPU over Graft, the least of all rows', show(summary.minRatio, 2, 'times')],
    [
      "tfjs WebGPU over Graft, a training step of torchvision's AlexNet",
      show(torchvision, 1, 'times'),
    ],
    ['tfjs WebGPU over Graft, a training step of alexnet-64', show(alexnet64, 1, 'times')],
    ['product of two 1024x1024 matrices, share of the limit', percent(summary.gemmShare)],
    ["peak GPU bytes of a training step, over tfjs WebGPU's", percent(summary.memoryRatio)],
    [
      'a frozen epoch recomputed, over one from the feature cache',
      show(summary.cacheSpeedup, 0, 'times'),
    ],
    [
      "process start to the first training step's end, the driver's cache empty",
      show(summary.coldStartMs, 0, 'ms'),
    ],
    [
      "process start to the first training step's end, the driver's cache filled",
      show(summary.warmStartMs, 0, 'ms'),
    ],
  ]
}

/** The device's limits in words. */
export function speeds({ gflops, gbps }: Peak): string {
  return `${gflops.toFixed(1)} GFLOP/s of multiply-adds, ${gbps.toFixed(1)} GB/s copied`
}

/** The summary on the terminal, without the figures that were not measured. */
export function summaryLines(results: Results): string {
  const limits = ["the device's limits", speeds(results.peak)] as const
  const measured = figures(results).filter(([, figure]) => figure !== notMeasured)
  return [limits, ...measured].map(([what, figure]) => `${what.padEnd(72)} ${figure}`).join('\n')
}
