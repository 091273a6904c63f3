import { type Command, Option } from 'commander'
import { at } from '../../base/at.ts'
import { DataError } from '../../base/errors.ts'
import { counted, listed, percent, percentRange } from '../../base/format.ts'
import { shareInterval } from '../../base/interval.ts'
import { widthOf } from '../../base/textWidth.ts'
import { type ImageDataset, joined } from '../../data/dataset.ts'
import { evaluate } from '../../train/evaluate.ts'
import type { Evaluation } from '../../train/metrics.ts'
import { loadRun, readRunConfig } from '../../train/runFolder.ts'
import { warnOfTrained } from '../copies.ts'
import { dataPlace } from '../dataPlace.ts'
import { describeEngine, describeReading, shortPath } from '../describe.ts'
import { type Cell, table } from '../lines.ts'
import { type CommonOptions, viewCount, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { openRunData, trainedOn, warnOfOtherImages } from '../runImages.ts'
import { nextCommand } from '../shell.ts'
import { tableOption } from '../tableOptions.ts'
import { withEngine } from '../withEngine.ts'

const parts = ['val', 'train', 'all'] as const

interface EvaluateOptions extends CommonOptions {
  readonly part?: (typeof parts)[number]
  readonly batchSize: number
  readonly tta: number
  readonly strict?: boolean
}

export function addEvaluate(command: Command): void {
  command
    .argument('<run>', 'a run folder, which train has written')
    .argument(
      '[dir]',
      "labeled images, as train takes them, of all or some of the run's classes (default: where " +
        "the run's own were)",
    )
    .addOption(
      new Option(
        '--part <name>',
        'which images: those held out, those trained on, or all (default: val; all of images ' +
          'that the run was not trained with and that are not divided)',
      ).choices(parts),
    )
    .option(
      '--tta <n>',
      'average over so many views of each image, 1 to 10: middle, mirrored, corners',
      viewCount,
      1,
    )
    .addOption(tableOption('batchSize', { help: 'images that go through the network together' }))
    .option('--strict', 'stop at a broken image instead of leaving it out')
  withCommon(command).addHelpText(
    'after',
    `
Examples:
  npx graft-webgpu evaluate runs/photos
  npx graft-webgpu evaluate runs/photos test-photos
  npx graft-webgpu evaluate runs/photos --part train
  npx graft-webgpu evaluate runs/photos --tta 10
  npx graft-webgpu evaluate runs/photos --json | tail -1`,
  )
  command.action(run)
}

async function run(
  folder: string,
  given: string | undefined,
  options: EvaluateOptions,
): Promise<void> {
  const output = new Output(options.json)
  const dir = given === undefined ? undefined : await dataPlace(given, {}, output)
  const config = await readRunConfig(folder)
  const opened = await openRunData('evaluate', dir, folder, config, options.part)
  const split = options.part ?? (opened.train.length > 0 ? 'val' : 'all')
  const data = partOf(opened, split)
  if (data.val.length === 0)
    throw new DataError(
      `${opened.root} has no image of the part ${split}: --part all takes all of them`,
    )
  await withEngine(options.adapter, output, async (engine) => {
    const { model } = await loadRun(engine, folder)
    describeEngine(output, engine)
    const classes = counted(config.classes.length, 'class', 'classes')
    output.labeled('run', `${folder}: ${config.architecture.variant}, ${classes}`)
    describeReading(output, data)
    if (split === 'val') warnOfOtherImages(output, folder, opened.root, config, opened)
    const trained = dir === undefined ? null : await trainedOn(dir, config)
    if (trained) await warnOfTrained(output, trained.train, data.val)
    output.progress('reading', 0, data.val.length)
    let skipped = 0
    const result = await evaluate(model, data, {
      batchSize: options.batchSize,
      tta: options.tta,
      strict: options.strict,
      onEvent: (event) => {
        if (event.type === 'skipped') skipped++
        output.training(
          event.type === 'read' ? { ...event, split: split === 'train' ? 'train' : 'val' } : event,
        )
      },
    })
    const absent = result.perClass.filter(({ count }) => count === 0).map(({ name }) => name)
    if (absent.length > 0) output.labeled('absent', `no image is of ${listed(absent)}`)
    output.event({
      type: 'result',
      run: folder,
      split,
      classes: config.classes,
      skipped,
      ...result,
      absent,
    })
    output.labeled(
      'data',
      `${shortPath(data.root)}, ${partNames[split]}: ${counted(result.count, 'image')}`,
    )
    // What a run was trained on says nothing of other images.
    report(output, result, split === 'val' || (split === 'all' && dir !== undefined))
    output.line()
    output.command('next', nextCommand('report', folder, ...(given === undefined ? [] : [given])))
  })
}

const partNames = { val: 'held out', train: 'trained on', all: 'all of it' } as const

/** The images to measure on, as the dataset's validation part. */
function partOf(data: ImageDataset, part: (typeof parts)[number]): ImageDataset {
  return { ...data, val: part === 'all' ? joined(data.train, data.val) : data[part] }
}

function report(
  output: Output,
  { accuracy, top5, loss, count, perClass, confusion }: Evaluation,
  unseen: boolean,
): void {
  const right = `${percent(accuracy)} (${Math.round(accuracy * count)} of ${count})`
  const { low, high } = shareInterval(accuracy, count)
  const interval = `; 95 % interval: ${percentRange(low, high)}`
  output.labeled('accuracy', unseen ? right + interval : right)
  if (perClass.length > 5) output.labeled('top 5', percent(top5))
  output.labeled('loss', loss.toFixed(4))
  output.line()
  const share = (value: number | null) => (value === null ? '-' : percent(value))
  const rows = perClass.map(({ name, count, precision, recall }) => [
    name,
    count,
    share(precision),
    share(recall),
  ])
  output.lines(table([['class', 'images', 'precision', 'recall'], ...rows], { right: [1, 2, 3] }))
  if (perClass.length > 20) return
  output.line()
  output.lines(
    confusionTable(
      perClass.map(({ name }) => name),
      confusion,
    ),
  )
}

/** Lines are at most this wide, and no wider than the terminal. */
const maxWidth = Math.min(100, process.stdout.columns || 100)

/**
 * Rows are the true classes, columns the predicted ones; where the names do not fit on top, numbers
 * stand for them.
 */
function confusionTable(names: readonly string[], counts: Evaluation['confusion']): string[] {
  const numbers = names.map((_, i) => i + 1)
  const tableOf = (columns: readonly Cell[], rows: readonly string[]) =>
    table([['is \\ taken for', ...columns], ...rows.map((name, i) => [name, ...at(counts, i)])], {
      right: numbers,
    })
  const named = tableOf(names, names)
  if (named.every((line) => widthOf(line) <= maxWidth)) return named
  return tableOf(
    numbers,
    names.map((name, i) => `${String(i + 1).padStart(2)} ${name}`),
  )
}
