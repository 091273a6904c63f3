import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { UsageError } from '../../base/errors.ts'
import { accuracyWithInterval, counted, duration, percent, pointsRange } from '../../base/format.ts'
import { writeFileAtomic } from '../../base/node/atomicFile.ts'
import { makeFolder } from '../../base/node/folder.ts'
import type { LoadOptions } from '../../base/stateDict.ts'
import { openData } from '../../data/openData.ts'
import type { Variant } from '../../nn/alexnet.ts'
import type { Budget, Comparison } from '../../train/compareScenarios.ts'
import type { TrainEvent } from '../../train/events.ts'
import type { OptimizerName } from '../../train/fitOptions.ts'
import type { After } from '../../train/timeLeft.ts'
import { secondsAnImage } from '../../transfer/evidence.ts'
import type { Plan, Scenario } from '../../transfer/scenario.ts'
import { comparisonChart } from '../charts.ts'
import { dataPlace } from '../dataPlace.ts'
import {
  describeData,
  describeEngine,
  describeLeft,
  describeNetwork,
  shortPath,
} from '../describe.ts'
import { describeChoice } from '../describeChoice.ts'
import { InterruptedError } from '../errors.ts'
import { table } from '../lines.ts'
import {
  type CommonOptions,
  count,
  divisionOf,
  number,
  offlineOption,
  path,
  typedOptions,
  withCommon,
} from '../options.ts'
import { epochHeader, epochLine, Output } from '../output.ts'
import { dataName, nextCommand } from '../shell.ts'
import { tableOption } from '../tableOptions.ts'
import { chooseNetwork } from '../trainSettings.ts'

interface CompareOptions extends CommonOptions, LoadOptions {
  readonly weights?: string
  readonly variant?: Variant
  readonly epochs?: number
  readonly seconds?: number
  readonly batchSize: number
  readonly lr?: number
  readonly optimizer: OptimizerName
  readonly split: number
  readonly seed: number
  readonly offline?: boolean
  readonly out?: string
}

export function addCompare(command: Command): void {
  command
    .argument('<dir>', 'images: <class>/* to be split, or train/<class>/* and val/<class>/*')
    .addOption(tableOption('weights'))
    .addOption(tableOption('weightsKey'))
    .addOption(tableOption('weightsPrefix'))
    .addOption(tableOption('variant'))
    .option(
      '--seconds <n>',
      'training time of each, without the last validation (default: three times as long as ' +
        'reading takes, at least 60)',
      number({ above: 0 }),
    )
    .option('--epochs <n>', 'instead of --seconds: passes of each over the images', count)
    .addOption(tableOption('batchSize'))
    .addOption(
      tableOption('lr', { flags: '--lr <x>', help: 'learning rate of all four' }).argParser(
        number({ above: 0 }),
      ),
    )
    .addOption(tableOption('optimizer'))
    .addOption(tableOption('split'))
    .addOption(
      tableOption('seed', {
        help: 'seeds the split, the probe, the order of images and all random values',
      }),
    )
    .addOption(offlineOption())
    .option(
      '--out <file>',
      'the chart and its figures as one HTML file (default: runs/<name of DIR>-compare.html)',
      path,
    )
  withCommon(command).addHelpText(
    'after',
    `
small-similar and small-different train a new layer on frozen ones, large-similar everything from
the weights, large-different everything from scratch. Each cuts where the probe of --scenario auto
found best for it. The scenario that auto would pick is named at the end.

Examples:
  npx graft-webgpu compare photos
  npx graft-webgpu compare photos --seconds 20 --out compare.html
  npx graft-webgpu compare photos --epochs 10 --json | tail -1`,
  )
  command.action(run)
}

async function run(given: string, options: CompareOptions, command: Command): Promise<void> {
  const { weights, weightsKey, weightsPrefix, variant, seed } = options
  if (options.seconds !== undefined && options.epochs !== undefined)
    throw new UsageError('--seconds and --epochs exclude each other: give one of them')
  const output = new Output(options.json)
  const dir = await dataPlace(given, options, output)
  const data = await openData(dir, divisionOf(options, command))
  const network = chooseNetwork({
    weights,
    weightsKey,
    weightsPrefix,
    variant,
    scenario: 'auto',
  })
  describeData(output, data)
  // Something is to be read while the rest is loaded.
  const [{ inSession }, { alexnet }, { compareScenarios }] = await Promise.all([
    import('../session.ts'),
    import('../../nn/alexnet.ts'),
    import('../../train/compareScenarios.ts'),
  ])
  await inSession(network.weights, options, output, async (engine, stop) => {
    try {
      describeEngine(output, engine)
      let told = false
      const build = async () => {
        const model = await alexnet(engine, { ...network, seed })
        if (!told) {
          describeNetwork(output, model, network.weights ?? null)
          describeLeft(output, model.left)
        }
        told = true
        return model
      }
      const { seconds, epochs } = options
      const show = new Show(output)
      const comparison = await compareScenarios(build, data, {
        batchSize: options.batchSize,
        lr: options.lr,
        optimizer: options.optimizer,
        seed,
        signal: stop.signal,
        seconds,
        epochs,
        onEvent: show.onEvent,
        onPlan: show.onPlan,
        onChoice: show.onChoice,
      })
      output.endProgress()
      if (stop.signal.aborted)
        throw stop.error(
          `stopped: ${comparison.scenarios.size} of 4 scenarios were trained, ` +
            'and nothing was written',
        )
      await report(output, dir, comparison, command)
    } catch (error) {
      if (!stop.signal.aborted || error instanceof InterruptedError) throw error
      throw stop.error('stopped: nothing was written')
    }
  })
}

/** A budget in words. */
function budgetText({ seconds, epochs }: Budget): string {
  return epochs === null ? `${seconds} s each` : `${counted(epochs, 'epoch')} each`
}

/** What is trained after each scenario. */
const after: Readonly<Record<Scenario, readonly After[]>> = {
  'small-similar': ['frozen', 'whole', 'whole'],
  'small-different': ['whole', 'whole'],
  'large-similar': ['whole'],
  'large-different': [],
}

/** Shows the progress of the comparison. */
class Show {
  readonly #output: Output
  #seconds: number | null = null
  #epochs = 1
  #shownAt = Number.NEGATIVE_INFINITY

  constructor(output: Output) {
    this.#output = output
  }

  readonly onChoice = (choice: Comparison['choice'], budget: Budget): void => {
    this.#output.endProgress()
    describeChoice(this.#output, choice)
    const { reading } = budget
    this.#output.probed(secondsAnImage(choice.evidence))
    this.#seconds = budget.seconds
    this.#epochs = budget.epochs ?? 1
    this.#output.event({ type: 'budget', ...budget })
    this.#output.labeled(
      'budget',
      budgetText(budget) +
        (reading === null ? '' : `; reading takes about ${duration(reading)} of it`),
    )
    if (reading !== null && budget.seconds !== null && budget.seconds < 1.5 * reading)
      this.#output.warn(
        `${duration(budget.seconds)} is too short for the frozen scenarios, which read all ` +
          `images first: give --seconds ${Math.ceil(3 * reading)}`,
      )
  }

  readonly onPlan = (plan: Plan): void => {
    const { removed, cut, replace, frozen, startsFrom } = plan
    this.#shownAt = Number.NEGATIVE_INFINITY
    this.#output.endProgress()
    this.#output.event({ type: 'plan', ...plan })
    const head = cut
      ? `a new layer after ${cut}`
      : replace === 'all' && removed.length > 1
        ? 'a new layer on the features'
        : 'a new last layer'
    this.#output.line()
    this.#output.sentence(
      `${plan.scenario}: ${head}, ${frozen.length ? 'all else frozen' : 'everything trains'}, ` +
        `from ${startsFrom} weights`,
    )
    this.#output.line(epochHeader)
  }

  readonly onEvent = (of: Scenario | 'auto', event: TrainEvent): void => {
    const output = this.#output
    if (of === 'auto') {
      if (event.type === 'read')
        output.progress(
          'probing',
          event.done,
          event.total,
          `${event.done} of ${event.total} images`,
        )
      return
    }
    output.training(event, { of }, after[of])
    const now = performance.now()
    const limit = this.#seconds === null ? null : 1000 * this.#seconds
    if (event.type !== 'epoch') return
    // About ten lines for each scenario; a frozen one may finish many epochs per second.
    const due =
      limit === null
        ? event.epoch % Math.ceil(this.#epochs / 10) === 0
        : now - this.#shownAt >= limit / 10
    if (!due && event.epoch > 1) return
    this.#shownAt = now
    output.line(epochLine(event))
  }
}

async function report(
  output: Output,
  dir: string,
  comparison: Comparison,
  command: Command,
): Promise<void> {
  const { bestScenarios, verdict } = await import('../../train/compareScenarios.ts')
  const { scenarios, choice, chance } = comparison
  const budget = budgetText(comparison.budget)
  const ahead = bestScenarios(comparison)
  const rows = [...scenarios].map(([name, one]) => [
    name === choice.scenario ? '>' : '',
    name,
    accuracyWithInterval(one.valAccuracy, one.interval),
    ahead.includes(name) ? (ahead.length > 1 ? 'tie' : 'best') : pointsRange(one.behind),
    one.bestEpoch,
    one.epochs.toFixed(1),
    one.seconds.toFixed(1),
  ])
  output.line()
  output.lines(
    table(
      [
        ['', budget, 'accuracy', 'points behind', 'kept', 'epochs', 'seconds'],
        ...rows,
        ['', 'most common', percent(chance.mostCommon)],
        ['', 'guessing', percent(chance.guessing)],
      ],
      { right: [4, 5, 6] },
    ),
  )
  output.labeled(
    'accuracy',
    'that of the epoch that train would keep (kept), on the same validation images; in brackets ' +
      'and as points behind the best: 95 % intervals',
  )
  output.lines(['', ...comparisonChart(scenarios, chance), ''])
  output.labeled('verdict', verdict(comparison))
  output.labeled('auto', `would pick ${choice.scenario} (>): ${choice.reason}`)
  const path = command.opts<CompareOptions>().out ?? join('runs', `${dataName(dir)}-compare.html`)
  const { comparisonPage } = await import('../../report/comparison.tsx')
  await makeFolder(dirname(path))
  await writeFileAtomic(path, comparisonPage(comparison, { data: shortPath(dir), budget }))
  output.labeled('chart', `${shortPath(path)}: one file, for any browser`)
  const head = choice.cut === null ? ['--replace', choice.replace] : ['--cut', choice.cut]
  const alike = typedOptions(command, ['seconds', 'epochs', 'out'])
  output.command(
    'next',
    nextCommand('train', dir, '--scenario', choice.scenario, ...head, ...alike),
  )
  output.event({
    type: 'result',
    scenarios: Object.fromEntries(
      [...scenarios].map(([name, { valAccuracy, interval, behind, seconds, epochs }]) => [
        name,
        { valAccuracy, interval, behind, seconds, epochs: Number(epochs.toFixed(1)) },
      ]),
    ),
    best: ahead,
    chance,
    auto: {
      scenario: choice.scenario,
      reason: choice.reason,
      replace: choice.replace,
      cut: choice.cut,
    },
    chart: path,
  })
}
