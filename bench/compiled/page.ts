import type { Compiled } from './driverLog.ts'
import { type Family, families } from './nullGpu.ts'
import type { Pipeline } from './plan.ts'

/** A pipeline and what became of it. */
export interface Row extends Pipeline {
  /** The training steps that launch it: network and batch size. */
  readonly steps: readonly string[]
  readonly compiled: Compiled | null
  /** Why it was not compiled. */
  readonly error?: string
}

/** Large products by the pipeline that computes them, and the passes over memory around it. */
export interface Product {
  readonly name: string
  /** The place of its pipeline in `pipelines`. */
  readonly pipeline: number
  readonly around: readonly string[]
}

/** What was compiled for a family. */
export interface Results {
  readonly family: Family
  readonly adapter: string
  readonly date: string
  readonly pipelines: readonly Row[]
  readonly products: readonly Product[]
  /** How many kernels a training step launches. */
  readonly dispatches: Readonly<Record<string, number>>
}

/** The page of a family. */
export function page(results: Results): string {
  const { family, adapter, date, pipelines, products, dispatches } = results
  const spilling = pipelines.filter((row) => spills(row)).length
  const failed = pipelines.filter(({ compiled }) => compiled === null).length
  return `# Compiled for ${family} (${families[family]})

${adapter}; ${date}. Written by \`npm run bench -- --compile ${family}\`. Nothing ran: these are the
words of the driver's compiler, RADV's ACO, about each pipeline.

${pipelines.length} pipelines; ${spilling} spill, ${failed} failed to compile.

- **waves**: how many waves a SIMD holds at the same time; shared memory is in bytes a workgroup.
- **loop**: instructions in one turn of the smallest loop around the most multiply-adds, and the
  share of multiply-adds among its operations. Two that are issued together are two operations and
  one instruction; **dual** is the share of multiply-adds that are issued so.
- **B/fma**: bytes that a thread reads from shared memory in that loop for each multiply-add.
- **cycles/fma**: the driver's inverse throughput for each multiply-add: SIMD cycles for 64 threads.
  The driver counts 8 turns for each loop, and so do the multiply-adds here.
${hasCode(pipelines) ? '' : `\nThis machine's LLVM cannot print instructions of ${family}: there are statistics only.\n`}
## Products

The pipeline that computes each product; **around** are the passes over memory before and after it.

${table(
  ['product', 'tile', ...measures, 'around'],
  products.map(({ name, pipeline, around }) => {
    const row = pipelines[pipeline]
    if (!row) throw new RangeError(`no pipeline ${pipeline} for ${name}`)
    return [name, tileOf(row), ...figures(row), around.join(', ')]
  }),
)}

## Pipelines of training steps

${table(
  ['pipeline', ...measures, ...kinds, 'steps'],
  pipelines
    .filter(({ steps }) => steps.length > 0)
    .map((row) => [
      `${row.name} ${tileOf(row)}`,
      ...figures(row),
      ...kinds.map((kind) => `${row.compiled?.kinds[kind] ?? ''}`),
      row.steps.join(', '),
    ]),
)}

## Launches

${table(
  ['training step', 'kernels'],
  Object.entries(dispatches).map(([name, count]) => [name, `${count}`]),
)}
`
}

const hasCode = (rows: readonly Row[]) => rows.some(({ compiled }) => compiled?.loop)

/** Whether registers did not fit. */
export const spills = ({ compiled }: Row): boolean =>
  compiled !== null && compiled.spilled + compiled.scratchBytes > 0

const kinds = ['VALU', 'SALU', 'VMEM', 'SMEM'] as const

const measures = [
  'VGPRs',
  'spilled',
  'shared',
  'waves',
  'instructions',
  'loop',
  'fma',
  'dual',
  'B/fma',
  'inverse throughput',
  'cycles/fma',
]

function figures({ compiled, error }: Row): string[] {
  if (!compiled) return [`failed: ${error}`, ...measures.slice(1).map(() => '')]
  const { loop } = compiled
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`
  return [
    `${compiled.vgprs}`,
    `${compiled.spilled + compiled.scratchBytes}`,
    `${compiled.sharedBytes}`,
    `${compiled.waves}`,
    `${compiled.instructions}`,
    ...(loop
      ? [
          `${loop.instructions}`,
          percent(loop.share),
          percent(loop.dualIssued / loop.multiplyAdds),
          loop.sharedBytesPerMultiplyAdd.toFixed(2),
        ]
      : ['', '', '', '']),
    `${compiled.inverseThroughput}`,
    compiled.cyclesPerMultiplyAdd?.toFixed(2) ?? '',
  ]
}

/** The constants that tell pipelines of a kernel apart. */
function tileOf({ constants }: Pipeline): string {
  const { ROWS, BLOCK_COLS, BLOCK_DEPTH, THREAD_ROWS, THREAD_COLS, ...rest } = constants
  const others = Object.entries(rest)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
  return BLOCK_COLS === undefined
    ? [ROWS === undefined ? '' : `ROWS=${ROWS}`, others].filter(Boolean).join(' ')
    : `${ROWS}x${BLOCK_COLS}x${BLOCK_DEPTH}, ${THREAD_ROWS}x${THREAD_COLS} a thread, ${others}`
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n')
}
