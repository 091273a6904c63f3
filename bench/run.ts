/**
 * Graft against tfjs (WebGPU on the same device, wasm, cpu), jax-js, ONNX Runtime and PyTorch, kernel by kernel and step by step, each
 * value checked against float64. Run it with `npm run bench`.
 */
import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { Command } from 'commander'
import { type AdapterChoice, createEngine, GraftError } from '../src/index.ts'
import { writeFileAtomic } from '../src/weights/files.ts'
import { type Case, contest } from './contest.ts'
import { Limit } from './limit.ts'
import { openPeers } from './peers/open.ts'
import { line, titles } from './report.ts'
import { type Results, type Row, toRow } from './results.ts'
import { suite } from './suite.ts'
import { summarise } from './summary.ts'

interface Options {
  readonly quick: boolean
  readonly only?: string
  readonly json?: string
  readonly adapter: AdapterChoice
  readonly peers: boolean
}

const options = new Command('bench')
  .description('Graft against tfjs and others on one device, every value checked')
  .option('--quick', 'fewer rows and runs: under 4 minutes on two cores', false)
  .option('--only <text>', 'only rows whose kind, name or pass holds this text; written to a file only with --json')
  .option('--json <file>', 'where the figures go (default bench/results/<adapter>.json)')
  .option('--adapter <kind>', 'auto, hardware, lavapipe or swiftshader', 'auto')
  .option('--no-peers', 'Graft alone')
  .parse()
  .opts<Options>()

process.env.GRAFT_DAWN_FLAGS ??= 'disable-dawn-features=timestamp_quantization' // for both sides: tfjs runs on the same device
try {
  process.exitCode = await bench(options)
} catch (error) {
  if (!(error instanceof GraftError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
process.exit() // jax-js keeps a device open

/** @returns the exit code: 1 where a value of Graft's is wrong */
async function bench({ quick, only, json, adapter, peers: wanted }: Options): Promise<number> {
  const engine = await createEngine({ adapter })
  const peers = await openPeers(engine, { wanted, quick })
  const text = only?.toLowerCase() ?? ''
  const cases = (await suite(peers, quick)).filter(({ family, name, pass }) => `${family} ${name} ${pass}`.toLowerCase().includes(text))
  if (cases.length === 0) {
    console.error(`no row has '${only}' in its kind, name or pass`)
    return 1
  }
  const limit = await Limit.open(engine)
  console.log(`${engine.info.adapter}\n\n${titles()}`)
  const rows: Row[] = []
  for (const wanted of cases) {
    const row = toRow(wanted, await contest(wanted, { ...patience(wanted, quick), limit: () => limit.measure() }))
    rows.push(row)
    console.log(line(row))
  }
  const results: Results = {
    adapter: engine.info.adapter,
    kind: engine.info.kind,
    cores: availableParallelism(),
    date: new Date().toISOString().slice(0, 10),
    quick,
    peak: limit.median(),
    rows,
    summary: summarise(rows),
  }
  limit.dispose()
  engine.dispose()
  console.log(`\n${results.peak.gflops.toFixed(1)} GFLOP/s of multiply-adds, ${results.peak.gbps.toFixed(1)} GB/s copied`)
  const file = json ?? (only === undefined ? join(import.meta.dirname, 'results', `${results.kind}.json`) : null)
  if (file) {
    await mkdir(dirname(file), { recursive: true })
    await writeFileAtomic(file, `${JSON.stringify(results, null, 2)}\n`)
    console.log(file)
  }
  return rows.some(({ agree, graft }) => !agree && graft.ms !== null) ? 1 : 0
}

function patience({ family }: Case, quick: boolean): { readonly rounds: number; readonly slow: number } {
  return quick ? { rounds: family === 'training' ? 2 : 3, slow: 500 } : { rounds: 7, slow: 3000 }
}
