import { type PeerTime, peers, type Row } from './results.ts'

const columns: readonly (readonly [string, number, (row: Row) => string])[] = [
  ['row', 30, ({ name, pass }) => `${name} ${pass}`],
  ['Graft ms', 10, ({ graft: { ms } }) => (ms === null ? 'failed' : time(ms))],
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

function time(ms: number): string {
  return ms < 100 ? ms.toFixed(2) : ms.toFixed(0)
}

/** A time with an exclamation mark is of values that are wrong. */
function other(peer: PeerTime | undefined): string {
  if (!peer) return ''
  return peer.ms === null ? 'failed' : `${time(peer.ms)}${peer.error ? '!' : ''}`
}
