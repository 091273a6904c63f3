import { figures, milliseconds, speeds } from './report.ts'
import { type PeerTime, peers, type Results, type Row } from './results.ts'

const peerTitles: Readonly<Record<(typeof peers)[number], string>> = {
  tfjs_webgpu: 'tfjs WebGPU',
  tfjs_wasm: 'tfjs wasm',
  tfjs_cpu: 'tfjs cpu',
  jaxjs: 'jax-js',
  ort: 'ONNX Runtime',
  pytorch: 'PyTorch',
}

/**
 * The page: the table, its chart and what the columns mean. `file` is the results' name without its
 * extension.
 */
export function markdown(results: Results, file: string): string {
  const { adapter, machine, tilings, date, quick, peak, rows } = results
  const tuned = Object.keys(tilings).length
  const present = peers.filter((who) => rows.some((row) => row[who]))
  const titles = [
    'row',
    'shape',
    'Graft',
    'GFLOP/s',
    'of the limit',
    ...present.map((who) => peerTitles[who]),
    'ratio',
  ]
  const notes = remarks(rows)
  return `# ${adapter}

${[
  `${machine.cpu}, ${machine.cores} processors, ${machine.platform}, Node ${machine.node}, ${date}`,
  ...(quick ? ['--quick'] : []),
  ...(tuned ? [`${tuned} tilings from \`graft tune\``] : []),
].join(', ')}; ${speeds(peak)}. Written by \`npm run bench\`.

<picture>
  <source media="(prefers-color-scheme: dark)" srcset="${file}-dark.svg">
  <img alt="How many times faster than tfjs each row is" src="${file}.svg">
</picture>

${summaryTable(results)}

Times are milliseconds: the median of interleaved runs, ± half the difference between the fastest
and the slowest. WebGPU kernels are timed by the device's timestamps. Everything else, whole steps
too, is timed by the clock until the result is on the host. The limit is what the device's
multiply-adds or its memory allow, whichever is lower; both were measured when the row ran. The
ratio is tfjs WebGPU's time over Graft's. **!** marks a time whose values are wrong; the list
below says why.

tfjs WebGPU runs on the same device as Graft, jax-js on another device of the same adapter, and
ONNX Runtime and PyTorch on all processors. tfjs wasm uses SIMD and one thread: in Node it starts
no more ([8513](https://github.com/tensorflow/tfjs/issues/8513)). The slow backends run only the
rows for which they need a few seconds at most. Waiting for the GPU uses no core: Dawn's binding
for Node would poll in a loop, so the benchmark makes it sleep in between.

| ${titles.join(' | ')} |
| ${titles.map((_, i) => (i < 2 ? '---' : '--:')).join(' | ')} |
${rows.map((row) => `| ${cells(row, present).join(' | ')} |`).join('\n')}
${notes.length ? `\n${notes.join('\n')}\n` : ''}`
}

function cells(row: Row, present: readonly (typeof peers)[number][]): string[] {
  const { name, pass, shape, graft, ratio } = row
  return [
    `${name} ${pass}`,
    shape,
    withSpread(graft, row.agree),
    graft.gflops?.toFixed(1) ?? '',
    graft.share === null ? '' : `${(100 * graft.share).toFixed(0)} %`,
    ...present.map((who) => withSpread(row[who], row[who]?.error === undefined)),
    ratio?.toFixed(2) ?? '',
  ]
}

function withSpread(time: PeerTime | undefined, right: boolean): string {
  if (!time) return ''
  if (time.ms === null) return 'failed'
  const [low, high] = time.spread ?? [time.ms, time.ms]
  const half = ((50 * (high - low)) / time.ms).toFixed(0)
  return `${milliseconds(time.ms)}${right ? '' : ' **!**'} ±${half} %`
}

function remarks(rows: readonly Row[]): string[] {
  return rows.flatMap(({ name, pass, note, ...row }) => [
    ...(note ? [`- ${name} ${pass}: ${note}`] : []),
    ...peers.flatMap((who) =>
      row[who]?.error ? [`- ${name} ${pass}, ${peerTitles[who]}: ${row[who].error}`] : [],
    ),
  ])
}

function summaryTable(results: Results): string {
  const lines = figures(results).map(([what, figure]) => `| ${what} | ${figure} |`)
  return ['| | |', '| --- | --: |', ...lines].join('\n')
}
