import { join } from 'node:path'
import type { Command } from 'commander'
import { DataError } from '../../base/errors.ts'
import type { ImageDataset } from '../../data/dataset.ts'
import { openData } from '../../data/openData.ts'
import type { RoundOptions } from '../../train/options/rounds.ts'
import { checkCopies } from '../copies.ts'
import { dataPlace } from '../dataPlace.ts'
import { describeData } from '../describe.ts'
import { type JobOptions, requireNoJobs, withJobs } from '../jobOptions.ts'
import { dataHelp, divisionOf, path, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { checkRounds, resumedRounds, withRounds } from '../roundTrain.ts'
import { describeChanges, imagesOf } from '../runImages.ts'
import { type ExistingRun, writingRun } from '../runWriter.ts'
import { dataName } from '../shell.ts'
import { addressOf, requireFrozenPart } from '../spreadTrain.ts'
import { tableOption } from '../tableOptions.ts'
import {
  checkSettings,
  chooseNetwork,
  resumedSettings,
  sessionNames,
  settingsOf,
  type TrainOptions,
  withTrainOptions,
} from '../trainSettings.ts'

export function addTrain(command: Command): void {
  command.argument('<dir>', dataHelp)
  withTrainOptions(command)
  for (const name of sessionNames) command.addOption(tableOption(name))
  command
    .option('--force', 'replace the run that the run folder holds')
    .option(
      '--out <run>',
      'the run folder (default: runs/<name of DIR>, and -<scenario> if one is named)',
      path,
    )
  withRounds(command)
  withJobs(
    command,
    'have the workers of this queue run the frozen layers, or train by rounds with --rounds',
    'with --queue: where they leave what they compute, such as s3://bucket/work or a shared folder',
  )
  withCommon(command).addHelpText(
    'after',
    `
The four scenarios:
  small-similar     few images, like photographs: a new last layer on the frozen network
  small-different   few, unlike photographs: a new layer on the frozen early layers
  large-similar     many, like photographs: everything trains, from the pretrained weights
  large-different   many, unlike photographs: everything trains, from random weights
  auto              the default: counts the images, probes the frozen network at several depths,
                    and picks one and its cut

Examples:
  npx graft-webgpu train photos
  npx graft-webgpu train drawings --scenario small-different --epochs 40 --out runs/drawings
  npx graft-webgpu train photos --scenario large-similar --optimizer sgd --augment
  npx graft-webgpu train drawings --scenario large-different --augment strong,flip=0
  npx graft-webgpu train photos --weights torchvision/alexnet
  npx graft-webgpu train photos --scenario small-similar --replace all
  npx graft-webgpu train photos --variant bvlc --weights bvlc.safetensors
  npx graft-webgpu train photos --resume --epochs 60
  npx graft-webgpu train s3://photos --queue redis://host --store s3://work
  npx graft-webgpu train photos --scenario large-similar --rounds --slots 2`,
  )
  command.action(train)
}

type Options = TrainOptions & JobOptions & RoundOptions

async function train(dir: string, options: Options, command: Command): Promise<void> {
  const { scenario } = options
  const name = scenario === 'auto' ? dataName(dir) : `${dataName(dir)}-${scenario}`
  const folder = options.out ?? join('runs', name)
  await writingRun(folder, options, (before) => trainInto(folder, dir, options, command, before))
}

async function trainInto(
  folder: string,
  given: string,
  typedOptions: Options,
  command: Command,
  before: ExistingRun,
): Promise<void> {
  const output = new Output(typedOptions.json)
  const typed = (name: string) => command.getOptionValueSource(name) === 'cli'
  const options = before.config
    ? resumedRounds(typedOptions, typed, before.config, folder)
    : typedOptions
  const settings = before.config
    ? resumedSettings(options, typed, before.config, folder)
    : settingsOf(options)
  checkSettings(settings)
  checkRounds(options, command)
  if (options.queue && !options.rounds) requireFrozenPart(options, settings)
  else if (!options.rounds) requireNoJobs(command, 'give --queue URL, too')
  const dir = await dataPlace(given, options, output)
  const place = options.queue || options.rounds ? addressOf(dir) : dir
  const data = await openData(place, divisionOf(settings, command))
  if (before.config) requireSameClasses(folder, before.config.classes, data)
  const network = chooseNetwork(settings)
  describeData(output, data)
  const sizes = await checkCopies(output, data, settings.strict)
  const images = imagesOf(data, sizes)
  if (before.config) describeChanges(output, folder, dir, before.config, images)
  // Something is to be read while the rest is loaded.
  const { trainRun } = await import('../trainRun.ts')
  await trainRun({ dir, data, images, folder, settings, network, options, before, output })
}

function requireSameClasses(folder: string, classes: readonly string[], data: ImageDataset): void {
  const { length } = data.classes
  if (classes.length === length && classes.every((name, i) => name === data.classes[i])) return
  throw new DataError(
    `${folder} was trained on other classes (${classes.join(', ')}): ` +
      'train into another folder with --out',
  )
}
