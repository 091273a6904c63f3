import type { Results, Row } from './results.ts'

const columns: readonly (readonly [string, number, (row: Row) => string])[] = [
  ['row', 30, ({ name, pass }) => `${name} ${pass}`],
  ['ms', 9, ({ graft }) => time(graft.ms)],
  ['GFLOP/s', 8, ({ graft }) => graft.gflops.toFixed(1)],
  ['limit', 6, ({ graft }) => `${(100 * graft.share).toFixed(0)} %`],
  ['tfjs', 9, ({ tfjs_webgpu }) => other(tfjs_webgpu)],
  ['ratio', 7, ({ ratio }) => (ratio === null ? '' : ratio.toFixed(2))],
  ['wasm', 9, ({ tfjs_wasm }) => other(tfjs_wasm)],
  ['cpu', 9, ({ tfjs_cpu }) => other(tfjs_cpu)],
  ['jax-js', 9, ({ jaxjs }) => other(jaxjs)],
  ['ort', 9, ({ ort }) => other(ort)],
]

/** The first line of the table on the terminal. */
export function titles(): string {
  return columns.map(([title, width], i) => (i ? title.padStart(width) : title.padEnd(width))).join('')
}

/** A row of the table on the terminal. */
export function line(row: Row): string {
  const text = columns.map(([, width, cell], i) => (i ? cell(row).padStart(width) : cell(row).padEnd(width))).join('')
  const errors = [row.tfjs_webgpu, row.tfjs_wasm, row.tfjs_cpu, row.jaxjs, row.ort].flatMap((peer) => (peer?.error ? [peer.error] : []))
  return [text, ...(row.agree ? [] : [`  graft: ${row.note}`]), ...errors.map((error) => `  a peer: ${error}`)].join('\n')
}

function time(ms: number): string {
  return ms < 100 ? ms.toFixed(2) : ms.toFixed(0)
}

function other(peer: Row['tfjs_webgpu']): string {
  if (!peer) return ''
  return peer.ms === null ? 'failed' : `${time(peer.ms)}${peer.error ? '!' : ''}`
}

export async function writeTable(_: Results, __: string): Promise<void> {}
