import { type Command, Option } from 'commander'
import type { ImageDataset } from '../data/dataset.ts'
import { openImageFolder } from '../data/imageFolder.ts'
import { DataError } from '../gpu/errors.ts'
import { createEngine } from '../index.ts'
import { evaluate } from '../train/evaluate.ts'
import type { Evaluation } from '../train/metrics.ts'
import { loadRun } from '../train/runFolder.ts'
import { describeEngine } from './describe.ts'
import { type CommonOptions, count, withCommon } from './options.ts'
import { Output, percent, table } from './output.ts'

interface EvaluateOptions extends CommonOptions {
  readonly split: 'train' | 'val'
  readonly batchSize: number
  readonly strict?: boolean
}

export function addEvaluate(program: Command): void {
  const command = program
    .command('evaluate')
    .description('Measure a trained run on a folder of labelled pictures.')
    .argument('<run>', 'a run folder, from graft train')
    .argument('<dir>', 'pictures of the same classes; without train/ and val/ it is split as for training')
    .addOption(new Option('--split <part>', 'which part').choices(['train', 'val']).default('val'))
    .option('--batch-size <n>', 'pictures that go through together', count, 32)
    .option('--strict', 'stop at a broken picture instead of leaving it out')
  withCommon(command).addHelpText(
    'after',
    '\nExamples:\n  graft evaluate runs/photos photos\n  graft evaluate runs/photos photos --split train --json',
  )
  command.action(run)
}

async function run(folder: string, dir: string, options: EvaluateOptions): Promise<void> {
  const output = new Output(options.json ?? false)
  const engine = await createEngine({ adapter: options.adapter })
  try {
    const { model, config } = await loadRun(engine, folder)
    const { split = 0.25, seed = 0 } = config.options as { split?: number; seed?: number }
    const data = await openImageFolder(dir, { split, seed })
    sameClasses(folder, config.classes, data)
    describeEngine(output, engine)
    const result = await evaluate(model, data, {
      split: options.split,
      batchSize: options.batchSize,
      strict: options.strict ?? false,
      onEvent: (event) => output.training(event, 1),
    })
    report(output, result, options.split)
    output.event({ type: 'result', split: options.split, ...result })
  } finally {
    output.endBar()
    engine.dispose()
  }
}

function sameClasses(folder: string, classes: readonly string[], data: ImageDataset): void {
  const missing = classes.filter((name) => !data.classes.includes(name))
  const extra = data.classes.filter((name) => !classes.includes(name))
  if (missing.length === 0 && extra.length === 0) return
  const parts = [missing.length && `it lacks ${missing.join(', ')}`, extra.length && `${folder} does not know ${extra.join(', ')}`]
  throw new DataError(`${data.root} has other classes than the run: ${parts.filter(Boolean).join('; ')}`)
}

function report(output: Output, result: Evaluation, split: string): void {
  output.line(
    `${result.count} ${split} pictures   loss ${result.loss.toFixed(4)}   accuracy ${percent(result.accuracy).trim()}${result.perClass.length > 5 ? `   among the first five ${percent(result.top5).trim()}` : ''}`,
  )
  output.line()
  const share = (value: number | null) => (value === null ? '    –' : percent(value))
  for (const line of table([
    ['class', 'pictures', 'precision', 'recall'],
    ...result.perClass.map(({ name, count, precision, recall }) => [name, count, share(precision), share(recall)]),
  ]))
    output.line(line)
  if (result.perClass.length > 20) return
  output.line()
  output.line('  rows: what they are, columns: what they were taken for, in the same order')
  for (const line of table(result.perClass.map(({ name }, i) => [name, ...(result.confusion[i] ?? [])]))) output.line(line)
}
