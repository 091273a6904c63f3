/**
 * Graft against tfjs (WebGPU on the same device, wasm, cpu), jax-js, ONNX Runtime and PyTorch,
 * kernel by kernel and step by step, each value checked against float64. Run it with `npm run
 * bench`.
 */
import { join, relative } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { writeFileAtomic } from '../src/base/node/atomicFile.ts'
import { type AdapterChoice, createEngine, GraftError, UsageError } from '../src/index.ts'
import { type Family, families } from './compiled/nullGpu.ts'
import { compileFor } from './compiled/run.ts'
import { contest } from './contest.ts'
import { Limit } from './limit.ts'
import { describeMachine } from './machine.ts'
import { openPeers } from './peers/open.ts'
import { line, summaryLines, titles } from './report.ts'
import { type Results, type Row, toRow } from './results.ts'
import { suite } from './suite.ts'
import { summarize } from './summary.ts'
import { tuneNetworks } from './tune.ts'
import { resultsName, rowKey, updated, writeResults } from './write.ts'

interface Options {
  readonly quick?: boolean
  readonly only?: RegExp
  readonly update?: boolean
  readonly tune?: boolean
  readonly json?: string
  readonly adapter: AdapterChoice
  readonly peers: boolean
  readonly gpuReport?: boolean
  readonly compile?: Family
  readonly defaultLimits?: boolean
}

function toPattern(text: string): RegExp {
  try {
    return new RegExp(text, 'i')
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

const options = new Command('npm run bench --')
  .description(
    'Graft against tfjs, jax-js, ONNX Runtime and PyTorch on one device, every value checked.',
  )
  .option('--quick', 'fewer rows and runs: under 4 minutes on two cores')
  .option(
    '--only <pattern>',
    'only rows whose "kind name pass" contains this text or regular expression; ' +
      'writes nothing without --json or --update',
    toPattern,
  )
  .option(
    '--update',
    'add each row to the existing results as soon as it is measured, in place of the older one',
  )
  .option('--json <file>', 'write the results to this file, and no table or chart to bench/results')
  .addOption(
    new Option('--adapter <kind>', 'what to run on')
      .env('GRAFT_ADAPTER')
      .choices(['auto', 'hardware', 'lavapipe', 'swiftshader'])
      .default('auto'),
  )
  .option(
    '--tune',
    "first run 'graft tune' for both networks; takes minutes, and is kept for this adapter",
  )
  .option('--no-peers', 'measure Graft only')
  .addOption(
    new Option(
      '--gpu-report',
      "tune, then measure all rows on this machine's GPU; writes bench/results/<GPU>.json, " +
        "to send to Graft's authors",
    )
      .implies({ adapter: 'hardware', tune: true })
      .conflicts(['quick', 'only', 'update', 'json', 'peers']),
  )
  .addOption(
    new Option(
      '--compile <family>',
      "measure nothing: compile all kernels for an AMD GPU that need not be there, with Mesa's " +
        'driver RADV and a C compiler; writes bench/results/compiled/<family>.md, or with --quick ' +
        'only says whether all compile and none spills registers',
    )
      .choices(Object.keys(families))
      .conflicts(['only', 'update', 'json', 'peers', 'tune', 'gpuReport']),
  )
  .option(
    '--default-limits',
    'with --compile: on a device with the limits that every browser grants, and no optional ' +
      'features; writes nothing',
  )
  .parse()
  .opts<Options>()

try {
  const { compile, quick = false, defaultLimits } = options
  if (defaultLimits && !compile) throw new UsageError('--default-limits needs --compile FAMILY')
  process.exitCode = compile
    ? await compileFor(compile, quick, defaultLimits ? 'default' : 'adapter')
    : await bench(options)
} catch (error) {
  if (!(error instanceof GraftError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
process.exit() // jax-js keeps a device open

/** @returns the exit code: 1 if one of Graft's values is wrong */
async function bench({
  quick = false,
  only,
  update,
  tune,
  json,
  adapter,
  peers: wanted,
  gpuReport,
}: Options): Promise<number> {
  const engine = await createEngine({ adapter })
  const peers = await openPeers(engine, { wanted, quick })
  const all = await suite(peers, quick)
  const order = (await suite(peers, false)).map(rowKey)
  const cases = all.filter(
    ({ family, name, pass }) => only === undefined || only.test(`${family} ${name} ${pass}`),
  )
  if (cases.length === 0) {
    const kinds = [...new Set(all.map(({ family }) => family))].join(', ')
    console.error(`no row has ${only} in its kind, name or pass; the kinds are ${kinds}`)
    return 1
  }
  all.length = 0
  if (tune) await tuneNetworks(engine)
  const limit = await Limit.open(engine)
  console.log(`${engine.info.adapter}\n\n${titles()}`)
  const rows: Row[] = []
  const measured = (): Results => ({
    adapter: engine.info.adapter,
    kind: engine.info.kind,
    machine: describeMachine(engine),
    tilings: engine.gpu.tilings?.measured ?? {} /* plain kernels */,
    date: new Date().toISOString().slice(0, 10),
    quick,
    peak: limit.median(),
    rows,
    summary: summarize(rows),
  })
  const file = join(import.meta.dirname, 'results', `${resultsName(engine.info)}.json`)
  const current = () => (update ? updated(file, measured(), order) : measured())
  const effort = quick ? { rounds: 3, patience: 600 } : { rounds: 7, patience: 2000 }
  // A finished case is dropped: it holds the arrays that its competitors shared.
  for (let wanted = cases.shift(); wanted; wanted = cases.shift()) {
    const row = toRow(wanted, await contest(wanted, { ...effort, limit: () => limit.measure() }))
    rows.push(quick ? { ...row, quick } : row)
    console.log(line(row))
    // an interrupted run keeps what it has measured
    if (update) await writeResults(await current(), file)
  }
  const results = await current()
  limit.dispose()
  engine.dispose()
  console.log(`\n${summaryLines(results)}`)
  const written =
    json !== undefined
      ? await writeJson(results, json)
      : only === undefined || update
        ? await writeResults(results, file)
        : []
  if (written.length)
    console.log(`\nwritten: ${written.map((path) => relative('', path)).join(', ')}`)
  if (gpuReport)
    console.log(`\nThank you. Please attach ${relative('', file)} to an issue or pull request.`)
  return rows.some(({ agree, graft }) => !agree && graft.ms !== null) ? 1 : 0
}

async function writeJson(results: Results, file: string): Promise<string[]> {
  await writeFileAtomic(file, `${JSON.stringify(results, null, 2)}\n`)
  return [file]
}
