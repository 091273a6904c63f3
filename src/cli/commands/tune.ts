import { type Command, Option } from 'commander'
import { counted } from '../../base/format.ts'
import { alexnet, type Variant, variants } from '../../nn/alexnet.ts'
import type { TuningResult } from '../../ops/tuneContractions.ts'
import { tune } from '../../train/tune.ts'
import { describeEngine } from '../describe.ts'
import { table } from '../lines.ts'
import { type CommonOptions, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { nextCommand } from '../shell.ts'
import { tableOption } from '../tableOptions.ts'
import { withEngine } from '../withEngine.ts'

interface TuneCommandOptions extends CommonOptions {
  readonly variant: Variant
  readonly batchSize: number
}

export function addTune(command: Command): void {
  command
    .addOption(new Option('--variant <v>', 'the network').choices(variants).default('alexnet-64'))
    .addOption(tableOption('batchSize', { help: 'images that go through the network together' }))
  withCommon(command).addHelpText(
    'after',
    `
The fastest kernels are stored for this adapter, driver and version of Graft's kernels, in the
user's cache folder (GRAFT_CACHE names another). A kernel whose numbers disagree with float64 is
never chosen. This takes a minute or two on a CPU; no other command tunes.

Examples:
  npx graft-webgpu tune
  npx graft-webgpu tune --variant torchvision --batch-size 8`,
  )
  command.action(run)
}

async function run({ variant, batchSize, adapter, json }: TuneCommandOptions): Promise<void> {
  const output = new Output(json)
  await withEngine(adapter, output, async (engine) => {
    describeEngine(output, engine)
    const model = await alexnet(engine, { variant })
    output.progress('tuning', 0, 1)
    const results = await tune(model, {
      batchSize,
      onProgress(done, total, result) {
        output.progress('tuning', done, total, result.key)
        output.event({ type: 'tuned', done, total, ...result })
      },
    })
    output.endProgress()
    report(output, results)
  })
}

function report(output: Output, results: readonly TuningResult[]): void {
  const gained = results.filter(({ best, before }) => best !== before)
  const sum = (ms: (result: TuningResult) => number) =>
    results.reduce((total, result) => total + ms(result), 0)
  const [beforeMs, bestMs] = [sum((result) => result.beforeMs), sum((result) => result.bestMs)]
  output.event({
    type: 'result',
    tuned: gained.length,
    measured: results.length,
    beforeMs,
    bestMs,
    tilings: results,
  })
  output.line()
  output.lines(
    table(
      [
        ['product', 'before', 'now', 'tried', 'kernel'],
        ...results.map(({ key, beforeMs, bestMs, best, tried, wrong }) => [
          key,
          `${beforeMs.toFixed(2)} ms`,
          `${bestMs.toFixed(2)} ms`,
          wrong ? `${tried}, ${wrong} wrong` : `${tried}`,
          [
            `${best.kernel} ${best.rows} x ${best.columns}`,
            ...(best.splits > 1 ? [`${best.splits} parts`] : []),
          ].join(', '),
        ]),
      ],
      { right: [1, 2] },
    ),
  )
  output.line()
  output.labeled(
    'product',
    'a matrix product or convolution of a training step: planes x rows x columns x depth, and ' +
      'what lies together in memory in its second operand',
  )
  output.labeled('kernel', 'the fastest one, and the rows x columns that a thread computes')
  output.labeled(
    'result',
    `${gained.length} of ${counted(results.length, 'product')} are faster now: ` +
      `${bestMs.toFixed(1)} ms a step instead of ${beforeMs.toFixed(1)} ms.`,
  )
  output.command('next', nextCommand('check'))
}
