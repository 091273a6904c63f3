/**
 * Graft against tfjs (WebGPU on the same device, wasm, cpu), jax-js and ONNX Runtime, kernel by kernel and step by step, each value
 * checked against float64. Run it with `npm run bench`.
 */
import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { Command } from 'commander'
import { type AdapterChoice, createEngine } from '../src/index.ts'
import { writeFileAtomic } from '../src/weights/files.ts'
import type { Peers } from './cases/common.ts'
import type { StepMemory } from './cases/network.ts'
import { type Case, contest } from './contest.ts'
import { measurePeak, type Peak } from './limit.ts'
import { openPeers } from './peers/open.ts'
import { line, titles } from './report.ts'
import { type Results, type Row, toRow } from './results.ts'
import { suite } from './suite.ts'
import { summarise } from './summary.ts'

interface Options {
  readonly quick?: boolean
  readonly only?: string
  readonly json?: string
  readonly adapter: AdapterChoice
  readonly peers: boolean
}

const options = new Command('bench')
  .description('Graft against tfjs and others on one device, every value checked')
  .option('--quick', 'fewer rows and runs: under 4 minutes on two cores')
  .option('--only <text>', 'only rows whose name, pass or kind holds this text; no summary is written')
  .option('--json <file>', 'where the figures go (default bench/results/<adapter>.json)')
  .option('--adapter <kind>', 'auto, hardware, lavapipe or swiftshader', 'auto')
  .option('--no-peers', 'Graft alone')
  .parse()
  .opts<Options>()

process.env.GRAFT_DAWN_FLAGS ??= 'disable-dawn-features=timestamp_quantization' // for both sides: tfjs runs on the same device
const engine = await createEngine({ adapter: options.adapter })
const { adapter, kind } = engine.info
const peers: Peers = await openPeers(engine, { wanted: options.peers, quick: options.quick ?? false })
const memory: StepMemory = new Map()
const cases = suite(peers, options.quick ?? false, memory).filter(
  ({ name, pass, family }) => !options.only || `${family} ${name} ${pass}`.toLowerCase().includes(options.only.toLowerCase()),
)
let peak: Peak = await measurePeak(engine)
console.log(`${adapter}: ${peak.gflops.toFixed(1)} GFLOP/s of multiply-adds, ${peak.gbps.toFixed(1)} GB/s copied\n${titles()}`)
const rows: Row[] = []
for (const wanted of cases) {
  // A shared machine's speed drifts: a row is held against the limit of its own time.
  if (rows.length % 8 === 7) peak = await measurePeak(engine)
  const row = toRow(wanted, await contest(wanted, roundsFor(wanted)), peak)
  rows.push(row)
  console.log(line(row))
}
if (options.only) engine.dispose()
else {
  const summary = await summarise(engine, rows, memory)
  const results: Results = {
    adapter,
    kind,
    cores: availableParallelism(),
    date: new Date().toISOString().slice(0, 10),
    quick: options.quick ?? false,
    peak,
    rows,
    summary,
  }
  engine.dispose()
  const file = options.json ?? join(import.meta.dirname, 'results', `${kind}.json`)
  await mkdir(dirname(file), { recursive: true })
  await writeFileAtomic(file, `${JSON.stringify(results, null, 2)}\n`)
  const { writeTable } = await import('./report.ts')
  await writeTable(results, file)
}
process.exit(0) // tfjs's wasm threads would keep the process

function roundsFor({ family }: Case) {
  const quick = options.quick ?? false
  return { rounds: quick ? (family === 'training' ? 2 : 3) : 7, slow: quick ? 500 : 3000 }
}
