import type { Command } from 'commander'
import { UsageError } from '../../base/errors.ts'
import { openData } from '../../data/openData.ts'
import { alexnet } from '../../nn/alexnet.ts'
import type { Network } from '../../nn/network.ts'
import {
  findLearningRate,
  type LearningRateOptions,
  type LearningRates,
  suggestedRate,
} from '../../train/findLearningRate.ts'
import { scenarioOf, type TrainSettings } from '../../train/settings.ts'
import { applyScenario } from '../../transfer/scenario.ts'
import { learningRateChart } from '../charts.ts'
import { choose } from '../choose.ts'
import { dataPlace } from '../dataPlace.ts'
import { describeData, describeEngine, describeNetwork, describePlan } from '../describe.ts'
import { describeChoice } from '../describeChoice.ts'
import type { Stop } from '../interrupt.ts'
import { dataHelp, divisionOf, typedOptions, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { inSession } from '../session.ts'
import { nextCommand } from '../shell.ts'
import {
  checkSettings,
  chooseNetwork,
  settingsOf,
  stepOptionsOf,
  type TrainOptions,
  wholeRunNames,
  withTrainOptions,
} from '../trainSettings.ts'

const ofWholeRuns: ReadonlySet<string> = new Set(wholeRunNames)

export function addLrFind(command: Command): void {
  command.argument('<dir>', dataHelp)
  withCommon(withTrainOptions(command)).addHelpText(
    'after',
    `
Its options are those of train that affect single steps. 'train --lr find' searches, then trains.

Examples:
  npx graft-webgpu lr-find photos
  npx graft-webgpu lr-find photos --scenario large-similar --optimizer sgd
  npx graft-webgpu train photos --lr find`,
  )
  for (const option of command.options)
    if (ofWholeRuns.has(option.attributeName())) option.hideHelp()
  command.action(run)
}

async function run(dir: string, options: TrainOptions, command: Command): Promise<void> {
  const needless = command.options.find((option) => {
    const name = option.attributeName()
    return ofWholeRuns.has(name) && command.getOptionValueSource(name) === 'cli'
  })
  if (needless) throw new UsageError(`a search does not depend on ${needless.long}: leave it out`)
  const output = new Output(options.json)
  const settings = settingsOf(options)
  checkSettings(settings)
  const place = await dataPlace(dir, options, output)
  const data = await openData(place, divisionOf(settings, command))
  const network = chooseNetwork(settings)
  await inSession(network.weights, options, output, async (engine, stop) => {
    describeEngine(output, engine)
    describeData(output, data)
    const model = await alexnet(engine, { ...network, seed: settings.seed })
    describeNetwork(output, model, network.weights ?? null)
    const auto = settings.scenario === 'auto'
    const choice = auto ? await choose(model, { data, settings, output, stop }) : undefined
    if (choice) describeChoice(output, choice)
    const plan = applyScenario(model, scenarioOf(settings, choice, data.classes.length))
    describePlan(output, plan, { why: !choice })
    const found = await search(model, { data, settings, output, stop })
    output.event({ type: 'result', ...found })
    const rate = found.suggestion === null ? [] : ['--lr', String(suggestedRate(found))]
    output.command('next', nextCommand('train', dir, ...typedOptions(command), ...rate))
  })
}

interface Search {
  readonly data: Parameters<typeof findLearningRate>[1]
  readonly settings: TrainSettings
  readonly output: Output
  readonly stop: Stop
}

/** The rate that a search suggests, rounded to two digits, with a plot of the search. */
export async function findRate(model: Network, job: Search): Promise<number> {
  return suggestedRate(await search(model, job))
}

async function search(
  model: Network,
  { data, settings, output, stop }: Search,
): Promise<LearningRates> {
  const options: LearningRateOptions = {
    ...stepOptionsOf(settings),
    signal: stop.signal,
    onEvent: (event) => output.training(event),
  }
  output.progress('reading', 0, 1)
  const found = await findLearningRate(model, data, options).catch((error: unknown) => {
    throw stop.signal.aborted
      ? stop.error('stopped before a rate was found: nothing was written')
      : error
  })
  output.endProgress()
  output.lines([
    '',
    'The loss of a batch, smoothed, over the learning rate:',
    ...learningRateChart(found),
    '',
  ])
  const ends = found.diverged ? 'the search ended where the loss diverged' : 'it ended at 10'
  output.labeled(
    'rate',
    found.suggestion === null
      ? 'none: at no rate the loss falls by more than batches differ. Train with the default ' +
          'rate (leave --lr out), or search with larger batches (--batch-size)'
      : `${suggestedRate(found)}, where nine tenths of the fall are done (the mark). Above, the ` +
          `line is the fall that was used, and the dots were ignored; ${ends}`,
  )
  output.labeled(
    'compare',
    `fastai's rules, which the first batches can mislead: valley ${found.valley.toPrecision(2)}, ` +
      `steep ${found.steepest.toPrecision(2)}`,
  )
  return found
}
