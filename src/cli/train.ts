import { readFile, rm, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { openImageFolder } from '../data/imageFolder.ts'
import { GraftError, NonFiniteError, UsageError } from '../gpu/errors.ts'
import { createEngine } from '../index.ts'
import { alexnet, type Variant, variants } from '../nn/alexnet.ts'
import { type InitName, initNames } from '../nn/init.ts'
import type { Engine } from '../tensor/engine.ts'
import { fit, type OptimizerName, optimizers } from '../train/fit.ts'
import { type RunConfig, runFiles, writeRunConfig, writeRunMetrics, writeRunWeights } from '../train/runFolder.ts'
import { applyScenario, type Scenario, scenarios } from '../transfer/scenario.ts'
import { describeData, describeEngine, describePlan } from './describe.ts'
import { type CommonOptions, count, number, seedNumber, withCommon } from './options.ts'
import { exitCodes, Output, percent } from './output.ts'
import { graftVersion } from './version.ts'

interface TrainOptions extends CommonOptions {
  readonly weights?: string
  readonly variant?: Variant
  readonly scenario: Scenario
  readonly replace?: 'last' | 'all'
  readonly cut?: string
  readonly init?: InitName | 'pretrained'
  readonly epochs: number
  readonly batchSize: number
  readonly lr?: number
  readonly optimizer: OptimizerName
  readonly weightDecay?: number
  readonly labelSmoothing: number
  readonly augment?: boolean
  readonly cache: boolean
  readonly split: number
  readonly seed: number
  readonly strict?: boolean
  readonly resume?: boolean
  readonly force?: boolean
  readonly out?: string
}

const defaultWeights = 'alexnet-64-tinyimagenet100'

export function addTrain(program: Command): void {
  const command = program
    .command('train')
    .description('Graft the classes of a folder of pictures onto AlexNet, and write a run folder.')
    .argument('<dir>', 'train/<class>/* and val/<class>/*, or <class>/* to be split')
    .option(
      '--weights <name|path>',
      `registered name or .safetensors file; 'none' for random (default: ${defaultWeights}, unless --variant says otherwise)`,
    )
    .addOption(new Option('--variant <variant>', "which AlexNet (default: the weights' own)").choices(variants))
    .addOption(new Option('--scenario <scenario>', 'which of the four situations').choices(scenarios).default('small-similar'))
    .addOption(new Option('--replace <what>', 'the last FC layer, or the whole FC end').choices(['last', 'all']))
    .option('--cut <layer>', 'the last layer kept, for example features.7')
    .addOption(new Option('--init <how>', 'first values of what starts afresh').choices([...initNames, 'pretrained']))
    .option('--epochs <n>', 'passes over the pictures', count, 20)
    .option('--batch-size <n>', 'pictures a step', count, 32)
    .option('--lr <x>', 'learning rate (default: 0.001, 0.01 for sgd)', number({ above: 0 }))
    .addOption(new Option('--optimizer <name>', 'how steps are made').choices(optimizers).default('adam'))
    .option('--weight-decay <x>', 'pull towards zero (default: 0.0005 for sgd, 0 for adam, 0.01 for adamw)', number({ min: 0 }))
    .option('--label-smoothing <x>', 'share of probability spread over all classes', number({ min: 0, max: 1 }), 0)
    .option('--augment', 'random windows and flips, anew in every epoch')
    .option('--no-cache', 'compute frozen features anew in every epoch')
    .option('--split <x>', 'share held out for validation, where the folder has no val/', number({ above: 0, max: 0.9 }), 0.25)
    .option('--seed <n>', 'the same seed on the same adapter gives the same bits', seedNumber, 0)
    .option('--strict', 'stop at a broken picture instead of leaving it out')
    .option('--resume', 'go on from the last checkpoint of --out, or start afresh where there is none')
    .option('--force', 'replace the run that --out holds')
    .option('--out <run>', 'the run folder (default: runs/<folder>-<scenario>)')
  withCommon(command).addHelpText(
    'after',
    `
Examples:
  graft train photos                                          a new last layer on the shipped network
  graft train photos --scenario small-different               cut back to features.7 first: pictures unlike photographs
  graft train photos --scenario large-similar --optimizer sgd --augment --epochs 50
  graft train photos --variant bvlc --weights alexnet.safetensors --replace all --out runs/photos`,
  )
  command.action(train)
}

async function train(dir: string, options: TrainOptions): Promise<void> {
  const output = new Output(options.json ?? false)
  const data = await openImageFolder(dir, { split: options.split, seed: options.seed })
  const folder = options.out ?? join('runs', `${basename(resolve(dir))}-${options.scenario}`)
  const settings = comparable(dir, options)
  await checkFolder(folder, options, settings)
  const engine = await createEngine({ adapter: options.adapter })
  try {
    await trainOn(engine, { dir, data, folder, options, settings, output })
  } finally {
    engine.dispose()
  }
}

interface Job {
  readonly dir: string
  readonly data: Awaited<ReturnType<typeof openImageFolder>>
  readonly folder: string
  readonly options: TrainOptions
  readonly settings: Readonly<Record<string, unknown>>
  readonly output: Output
}

async function trainOn(engine: Engine, { dir, data, folder, options, settings, output }: Job): Promise<void> {
  describeEngine(output, engine)
  describeData(output, data)
  const weights = options.weights === 'none' ? undefined : (options.weights ?? (options.variant ? undefined : defaultWeights))
  const variant = options.variant ?? (weights ? undefined : 'alexnet-64')
  const model = await alexnet(engine, { seed: options.seed, ...(variant ? { variant } : {}), ...(weights ? { weights } : {}) })
  const { scenario, replace, cut, init } = options
  const plan = applyScenario(model, { scenario, classes: data.classes.length, replace, cut, init, seed: options.seed })
  describePlan(output, plan)
  const config: RunConfig = {
    graft: graftVersion,
    architecture: model.architecture,
    plan,
    classes: data.classes,
    options: settings,
    adapter: engine.info.adapter,
  }
  const stop = stopOnInterrupt(output)
  let writes = Promise.resolve()
  if (options.force) await clearRun(folder)
  const begun = performance.now()
  let run: Awaited<ReturnType<typeof fit>>
  const finished: Parameters<typeof writeRunMetrics>[1][number][] = []
  try {
    run = await fit(model, data, {
      epochs: options.epochs,
      batchSize: options.batchSize,
      lr: options.lr,
      optimizer: options.optimizer,
      weightDecay: options.weightDecay,
      labelSmoothing: options.labelSmoothing,
      augment: options.augment ?? false,
      cache: options.cache,
      seed: options.seed,
      strict: options.strict ?? false,
      checkpoint: join(folder, runFiles.checkpoints),
      resume: options.resume ?? false,
      signal: stop.signal,
      onResume: (epochs) => {
        finished.push(...epochs)
        output.event({ type: 'resume', epochs: epochs.length })
        output.line(`going on after epoch ${epochs.length}, from ${join(folder, runFiles.checkpoints)}`)
      },
      onEvent: (event) => {
        output.training(event, options.epochs)
        if (event.type !== 'epoch') return
        const { type: _, ...result } = event
        finished.push(result)
        const epochs = [...finished]
        writes = writes.then(() => writeRunConfig(folder, config)).then(() => writeRunMetrics(folder, epochs))
        writes.catch(() => {}) // awaited below
      },
    })
  } catch (error) {
    await writes
    if (error instanceof NonFiniteError && finished.length)
      output.warn(`The ${finished.length} finished epochs are in ${folder}; go on from them with --resume --out ${folder}.`)
    throw error
  } finally {
    stop.done()
    output.endBar()
  }
  await writes
  const last = run.epochs.at(-1)
  if (!last) throw new InterruptedError('stopped before the first epoch was finished; nothing was kept')
  await writeRunConfig(folder, config)
  await writeRunMetrics(folder, run.epochs)
  await writeRunWeights(folder, model, config)
  if (run.skipped) output.line(`${run.skipped} broken picture${run.skipped > 1 ? 's were' : ' was'} left out`)
  if (run.aborted) {
    output.event({
      type: 'result',
      run: folder,
      aborted: true,
      epochs: run.epochs,
      valAccuracy: last.valAccuracy,
      plan,
      skipped: run.skipped,
    })
    throw new InterruptedError(
      `stopped; epoch ${last.epoch} is kept in ${folder}; 'graft train ${dir} --out ${folder} --resume' with the same options goes on`,
    )
  }
  const best = run.epochs.reduce((a, b) => (b.valAccuracy > a.valAccuracy ? b : a))
  output.line()
  output.line(
    `validation accuracy ${percent(last.valAccuracy).trim()} after ${last.epoch} epochs (best ${percent(best.valAccuracy).trim()} in epoch ${best.epoch})`,
  )
  output.line(`written to ${folder}; next: graft predict ${folder} IMAGE…`)
  output.event({
    type: 'result',
    run: folder,
    aborted: false,
    epochs: run.epochs,
    valAccuracy: last.valAccuracy,
    plan,
    skipped: run.skipped,
    seconds: (performance.now() - begun) / 1000,
  })
}

/** Ctrl-C: what was finished has been kept, and the exit code says so. */
export class InterruptedError extends GraftError {
  constructor(message: string) {
    super('interrupted', message)
  }
}

/** The first Ctrl-C stops training after its step, the second the process. */
function stopOnInterrupt(output: Output): { readonly signal: AbortSignal; readonly done: () => void } {
  const controller = new AbortController()
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted)
    output.warn('stopping after this step; Ctrl-C again to stop at once')
    controller.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)
  return {
    signal: controller.signal,
    done: () => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal)
    },
  }
}

/** What has to be the same for a run to be gone on with: everything that decides its numbers, but how long it goes on. */
function comparable(dir: string, options: TrainOptions): Record<string, unknown> {
  const { epochs: _epochs, json: _json, out: _out, resume: _resume, force: _force, adapter: _adapter, ...rest } = options
  return { dir: resolve(dir), ...rest }
}

async function checkFolder(folder: string, { resume, force }: TrainOptions, settings: Readonly<Record<string, unknown>>): Promise<void> {
  const text = await readFile(join(folder, runFiles.config), 'utf8').catch(() => null)
  if (text === null) {
    const found = await stat(folder).catch(() => null)
    if (found && !found.isDirectory()) throw new UsageError(`${folder} is a file; --out names a folder`)
    return
  }
  if (force) return
  if (!resume)
    throw new UsageError(`${folder} holds a run already; --resume goes on with it, --force replaces it, --out names another folder`)
  const before = (JSON.parse(text) as RunConfig).options
  const differing = Object.keys({ ...before, ...settings }).filter((key) => JSON.stringify(before[key]) !== JSON.stringify(settings[key]))
  if (differing.length)
    throw new UsageError(
      `${folder} was trained with other options (${differing.map((key) => `${key}: ${JSON.stringify(before[key]) ?? 'none'}`).join(', ')}); --resume takes the same ones`,
    )
}

/** Removes the files of an earlier run, and nothing else. */
async function clearRun(folder: string): Promise<void> {
  for (const name of Object.values(runFiles)) await rm(join(folder, name), { recursive: true, force: true })
}
