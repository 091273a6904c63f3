import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { UsageError } from '../../base/errors.ts'
import { counted, percent } from '../../base/format.ts'
import { writeFileAtomic } from '../../base/node/atomicFile.ts'
import type { LoadOptions } from '../../base/stateDict.ts'
import type { RgbImage } from '../../host/host.ts'
import { decodeImage } from '../../host/node/decode.ts'
import { stateOf } from '../../inspect/layerState.ts'
import {
  chromeTrace,
  firstDiverging,
  type Inspection,
  inspect,
  inspectorPage,
  type NumberRow,
  serveInspection,
} from '../../inspector.ts'
import { alexnet, type Variant, variants } from '../../nn/alexnet.ts'
import { layerOf, layerTimes, noTimes } from '../../nn/layerTimes.ts'
import type { Network } from '../../nn/network.ts'
import type { Engine } from '../../tensor/tensor.ts'
import type { EpochResult } from '../../train/events.ts'
import { loadRun, readRunConfig, readRunMetrics } from '../../train/runFolder.ts'
import { applyScenario, type Plan, type Scenario, scenarios } from '../../transfer/scenario.ts'
import { describeEngine, describeLeft, describeRemarks, shortPath } from '../describe.ts'
import { untilStopped } from '../interrupt.ts'
import { table } from '../lines.ts'
import { type CommonOptions, count, number, path, seedNumber, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { nextCommand } from '../shell.ts'
import { asFlag, tableOption } from '../tableOptions.ts'
import { withEngine } from '../withEngine.ts'

interface InspectOptions extends CommonOptions, LoadOptions {
  readonly variant?: Variant
  readonly weights?: string
  readonly scenario?: Scenario
  readonly classes?: number
  readonly image?: string
  readonly train?: boolean
  readonly label?: string
  readonly seed: number
  readonly out?: string
  readonly trace?: string
  readonly serve?: number | true
}

export function addInspect(command: Command): void {
  const port = number({ integer: true, min: 0, max: 65_535 })
  command
    .argument('[run]', 'a run folder, which train has written')
    .addOption(new Option('--variant <name>', 'a network instead of a run').choices(variants))
    .option(
      '--weights <name|path>',
      'weights for it, or a run folder (default: every weight random)',
    )
    .addOption(tableOption('weightsKey'))
    .addOption(tableOption('weightsPrefix'))
    .addOption(new Option('--scenario <name>', 'apply a scenario to it first').choices(scenarios))
    .option('--classes <n>', 'number of classes of the scenario', count)
    .option('--image <file>', 'the input image (default: a drawing)')
    .option('--train', 'a whole training step, not only the forward pass')
    .option(
      '--label <class>',
      'the class of the image, by name or number (default: the predicted one)',
    )
    .option('--seed <n>', 'seeds random weights', seedNumber, 0)
    .option(
      '--out <file>',
      'the page (default: inspect.html in the run folder, or NAME-inspect.html here)',
      path,
    )
    .option('--trace <file>', "write the times in Chrome's trace format, for ui.perfetto.dev")
    .option(
      '--serve [port]',
      'serve the page on http://localhost, where kernels can also be edited and run',
      port,
    )
  withCommon(command).addHelpText(
    'after',
    `
Examples:
  npx graft-webgpu inspect runs/photos --image cat.jpg
  npx graft-webgpu inspect runs/photos --image cat.jpg --train --label cat
  npx graft-webgpu inspect --variant alexnet-64 --weights alexnet-64-tinyimagenet100 --train --serve
  npx graft-webgpu inspect --variant bvlc --train --trace step.json`,
  )
  command.action(run)
}

async function run(folder: string | undefined, options: InspectOptions): Promise<void> {
  const output = new Output(options.json)
  checkOptions(folder, options)
  if (folder) await readRunConfig(folder)
  const picture = options.image ? await decodeImage(options.image) : undefined
  const makeInspection = () =>
    withEngine(options.adapter, output, async (engine) => {
      describeEngine(output, engine)
      const opened = await open(engine, folder, options, output)
      return inspectModel(opened, folder, picture, options, output)
    })
  if (options.serve === undefined) {
    await makeInspection()
    return
  }
  const port = options.serve === true ? 0 : options.serve
  const { url, close } = await serveInspection(makeInspection, { port })
  const stopped = untilStopped()
  output.labeled('open', `${url} until Ctrl-C`)
  await stopped
  close()
}

function checkOptions(folder: string | undefined, options: InspectOptions): void {
  if (!folder && !options.variant && !options.weights)
    throw new UsageError(
      'name a run folder, or a network with --variant: ' +
        `'${nextCommand('inspect', '--variant', 'alexnet-64')}'`,
    )
  const given = (names: readonly (keyof InspectOptions)[]) =>
    names
      .filter((name) => options[name] !== undefined)
      .map((name) => asFlag({ option: name }).replace(/^(?!--)/, '--'))
  const own = given(['variant', 'weights', 'weightsKey', 'weightsPrefix', 'scenario', 'classes'])
  if (folder && own.length)
    throw new UsageError(
      `a run has its own network: leave out ${own.join(', ')}, or the run folder`,
    )
  if (options.classes !== undefined && !options.scenario)
    throw new UsageError('--classes belongs to --scenario')
  if (options.label !== undefined && !options.train)
    throw new UsageError('--label belongs to --train')
  const outputs = given(['out', 'trace', 'serve'])
  if (outputs.length > 1) throw new UsageError(`choose one of ${outputs.join(' and ')}`)
  if (options.json && options.serve !== undefined)
    throw new UsageError('--json prints what --serve shows: choose one of them')
}

interface Opened {
  readonly model: Network
  readonly plan: Plan | null
  readonly title: string
  readonly history: readonly EpochResult[]
}

async function open(
  engine: Engine,
  folder: string | undefined,
  options: InspectOptions,
  output: Output,
): Promise<Opened> {
  if (folder) {
    const { model, config } = await loadRun(engine, folder)
    const history = await readRunMetrics(folder)
    return { model, plan: config.plan, title: shortPath(folder), history }
  }
  const { variant, weights, weightsKey, weightsPrefix, seed, scenario } = options
  const model = await alexnet(engine, {
    ...(variant ? { variant } : {}),
    ...(weights ? { weights } : {}),
    weightsKey,
    weightsPrefix,
    seed,
  })
  describeRemarks(output, model)
  const plan = scenario
    ? applyScenario(model, {
        scenario,
        classes: options.classes ?? model.architecture.classes,
        seed,
      })
    : null
  describeLeft(output, plan?.left ?? [])
  const title = `${model.architecture.variant}${scenario ? `, ${scenario}` : ''}`
  return { model, plan, title, history: [] }
}

/** Inspects one step, and writes the page or the trace. */
async function inspectModel(
  { model, plan, title, history }: Opened,
  folder: string | undefined,
  picture: RgbImage | undefined,
  options: InspectOptions,
  output: Output,
): Promise<Inspection> {
  const { train, label } = options
  const { inspection, recording } = await inspect(model, {
    picture,
    train,
    label,
    title,
    plan,
    history,
    onProgress: (label, done, total) => output.progress(label, done, total),
  })
  output.endProgress()
  const { loss, milliseconds, numbers, omissions, dispatches, top } = inspection
  const diverging = firstDiverging(numbers)
  const time = milliseconds === null ? '' : `, ${milliseconds.toFixed(1)} ms of GPU time`
  const passes = options.train ? 'forward, backward and SGD' : 'forward'
  const launched = counted(dispatches.length, 'dispatch', 'dispatches')
  output.labeled('step', `${passes}: ${launched}${time}`)
  const [best] = top
  const prediction = best
    ? `${best.name}, ${percent(best.probability)}`
    : 'the logits are not finite: the network has diverged'
  output.labeled('image', `${options.image ?? 'a drawing'}: ${prediction}`)
  if (loss !== null) output.labeled('loss', `${loss.toFixed(4)}, for ${inspection.target}`)
  output.labeled('checked', numbersLine(numbers, diverging))
  const example = omissions.find((text) => text.endsWith('frozen')) ?? omissions[0]
  if (example)
    output.labeled('left out', `${counted(omissions.length, 'piece')} of work, such as ${example}`)
  if (milliseconds !== null) output.lines(['', ...layersAsTable(inspection), ''])
  const summary = { title, train: inspection.train, loss, top, milliseconds, omissions, diverging }
  const places = dispatches.map(({ source, bindings, ...rest }) => ({
    ...rest,
    kernel: inspection.sources[source]?.kernel,
    bindings,
  }))
  const path =
    options.trace ??
    options.out ??
    (options.json || options.serve !== undefined ? null : defaultPath(folder, title))
  if (options.trace)
    await writeFileAtomic(options.trace, `${JSON.stringify(chromeTrace(recording, title))}\n`)
  else if (path) await writeFileAtomic(path, await inspectorPage(inspection))
  if (path) {
    const use = options.trace ? 'for ui.perfetto.dev' : 'one file, for any browser'
    output.labeled('written', `${path}: ${use}`)
    output.command('next', folder ? nextCommand('report', folder) : nextCommand('demo'))
  }
  output.event({ type: 'result', ...summary, dispatches: places, ...(path ? { path } : {}) })
  return inspection
}

/** In the run's folder, or else in the current one. */
function defaultPath(folder: string | undefined, title: string): string {
  return folder ? join(folder, 'inspect.html') : `${title.replaceAll(/[^\w-]+/g, '-')}-inspect.html`
}

const states = { new: 'new, trains', trained: 'trains', frozen: 'frozen', bare: '' } as const

/** The GPU time of each layer, in milliseconds. */
function layersAsTable({ layers, dispatches, train }: Inspection): string[] {
  const kinds = train ? (['forward', 'gradient', 'step'] as const) : (['forward'] as const)
  const header = [
    'layer',
    '',
    '',
    ...(train ? ['forward ms', 'gradients', 'optimizer'] : ['forward ms']),
    'dispatches',
  ]
  const byLayer = layerTimes(dispatches)
  const rows = layers.map((layer) => {
    const times = byLayer.get(layer.name) ?? noTimes
    const count = dispatches.filter((one) => layerOf(one) === layer.name).length
    return [
      layer.name,
      layer.description,
      states[stateOf(layer)],
      ...kinds.map((kind) => (times[kind] ? times[kind].toFixed(3) : '')),
      count || '',
    ]
  })
  return table([header, ...rows], { right: [3, 4, 5, 6] })
}

function numbersLine(numbers: readonly NumberRow[], diverging: NumberRow | null): string {
  if (diverging)
    return (
      `${diverging.layer} ${diverging.operator} ${diverging.what} is the first to diverge from ` +
      'float64: ' +
      `relative error ${diverging.relative.toExponential(1)}, ` +
      `allowed ${diverging.allowed.toExponential(1)}`
    )
  const worst = Math.max(...numbers.map(({ relative }) => relative))
  const agree = counted(numbers.length, 'tensor')
  return `${agree} agree with float64; largest relative error ${worst.toExponential(1)}`
}
