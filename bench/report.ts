import { type PeerTime, peers, type Row } from './results.ts'

const columns: readonly (readonly [string, number, (row: Row) => string])[] = [
  ['row', 30, ({ name, pass }) => `${name} ${pass}`],
  ['Graft ms', 10, ({ graft: { ms } }) => (ms === null ? 'failed' : milliseconds(ms))],
  ['±', 6, ({ graft: { ms, spread } }) => (ms === null || !spread ? '' : `${((50 * (spread[1] - spread[0])) / ms).toFixed(0)} %`)],
  ['GFLOP/s', 8, ({ graft: { gflops } }) => gflops?.toFixed(1) ?? ''],
  ['limit', 6, ({ graft: { share } }) => (share === null ? '' : `${(100 * share).toFixed(0)} %`)],
  ['tfjs', 9, ({ tfjs_webgpu }) => other(tfjs_webgpu)],
  ['ratio', 7, ({ ratio }) => ratio?.toFixed(2) ?? ''],
  ['wasm', 9, ({ tfjs_wasm }) => other(tfjs_wasm)],
  ['cpu', 9, ({ tfjs_cpu }) => other(tfjs_cpu)],
  ['jax-js', 9, ({ jaxjs }) => other(jaxjs)],
  ['ort', 9, ({ ort }) => other(ort)],
  ['PyTorch', 9, ({ pytorch }) => other(pytorch)],
]

/** The first line of the table on the terminal. */
export function titles(): string {
  return columns.map(([title, width], i) => (i ? title.padStart(width) : title.padEnd(width))).join('')
}

/** A row of the table on the terminal; what is wrong stands below it. */
export function line(row: Row): string {
  const text = columns.map(([, width, cell], i) => (i ? cell(row).padStart(width) : cell(row).padEnd(width))).join('')
  const errors = peers.flatMap((who) => (row[who]?.error ? [`  ${who}: ${row[who].error}`] : []))
  return [text.trimEnd(), ...(row.agree ? [] : [`  graft: ${row.note}`]), ...errors].join('\n')
}

/** Milliseconds with three digits or so. */
export function milliseconds(ms: number): string {
  return ms < 1 ? ms.toFixed(3) : ms < 100 ? ms.toFixed(2) : ms.toFixed(0)
}

/** A time with an exclamation mark is of values that are wrong. */
function other(peer: PeerTime | undefined): string {
  if (!peer) return ''
  return peer.ms === null ? 'failed' : `${milliseconds(peer.ms)}${peer.error ? '!' : ''}`
}
