import type { Command } from 'commander'
import { openEmoji } from '../data/emoji.ts'
import { createEngine } from '../index.ts'
import { alexnet } from '../nn/alexnet.ts'
import type { Network } from '../nn/network.ts'
import { predict } from '../train/evaluate.ts'
import { type FitOptions, fit } from '../train/fit.ts'
import { applyScenario } from '../transfer/scenario.ts'
import { describeData, describeEngine, describePlan } from './describe.ts'
import { type CommonOptions, number, seedNumber, withCommon } from './options.ts'
import { Output, percent, table } from './output.ts'

interface DemoOptions extends CommonOptions {
  readonly seconds: number
  readonly seed: number
}

export function addDemo(program: Command): void {
  const command = program
    .command('demo')
    .description('Graft fifteen kinds of emoji onto the shipped network, beside the same network from scratch.')
    .option('--seconds <n>', 'at most this long for each of the two', number({ above: 0 }), 60)
    .option('--seed <n>', 'seeds the split, the order and all random values', seedNumber, 1)
  withCommon(command).addHelpText('after', '\nExamples:\n  graft demo\n  graft demo --adapter swiftshader --seconds 30')
  command.action(run)
}

const batchSize = 32
/** The recipe that the graft is trained by; it stops earlier when its time is over. */
const graftEpochs = 40

async function run(options: DemoOptions): Promise<void> {
  const output = new Output(options.json ?? false)
  const data = await openEmoji({ seed: options.seed })
  const engine = await createEngine({ adapter: options.adapter })
  try {
    describeEngine(output, engine)
    describeData(output, data)
    output.line()
    const onEvent: FitOptions['onEvent'] = (event) => {
      if (event.type !== 'epoch') output.training(event, graftEpochs)
      else output.event(event)
    }
    const common = { batchSize, seed: options.seed, onEvent }

    output.line('The graft: trained on photographs, its first three convolutions kept as they are, one new layer on them.')
    const graft = await alexnet(engine, { weights: 'alexnet-64-tinyimagenet100', seed: options.seed })
    describePlan(output, applyScenario(graft, { scenario: 'small-different', classes: data.classes.length }))
    const grafted = await timed(() =>
      fit(graft, data, { ...common, epochs: graftEpochs, optimizer: 'adam', lr: 1e-3, maxSeconds: options.seconds }),
    )

    output.line()
    output.line(
      `From scratch: the same pictures, the same network, every weight random, everything trains, for the same ${grafted.seconds.toFixed(0)} seconds.`,
    )
    const scratch = await alexnet(engine, { variant: 'alexnet-64', seed: options.seed })
    describePlan(output, applyScenario(scratch, { scenario: 'large-different', classes: data.classes.length }))
    const scratched = await timed(() =>
      fit(scratch, data, { ...common, epochs: 1000, optimizer: 'sgd', lr: 0.01, maxSeconds: grafted.seconds }),
    )

    const rows = [
      ['', 'validation accuracy', 'pictures seen', 'seconds'],
      ...(
        [
          ['the graft', grafted],
          ['from scratch', scratched],
        ] as const
      ).map(([name, { run, seconds }]) => [
        name,
        percent(run.epochs.at(-1)?.valAccuracy ?? 0),
        (run.steps * batchSize).toLocaleString('en-US'),
        seconds.toFixed(1),
      ]),
    ]
    output.line()
    for (const line of table(rows)) output.line(line)
    output.line(`  (always guessing the most frequent class: ${percent(commonest(data.val.map(({ label }) => label))).trim()})`)
    output.line()
    await classifySome(output, graft, data)
    output.line()
    output.line('Emoji are drawings, and the network has only seen photographs: its late features help them little, which is why the graft')
    output.line('sits on the third convolution. Much of the gain here is not having to train a trunk; on photographs the pretrained one')
    output.line('itself decides. See for yourself:')
    output.line('  npx graft train YOUR_FOLDER          one folder of pictures for each class')
    output.event({
      type: 'result',
      graft: summary(grafted),
      scratch: summary(scratched),
    })
  } finally {
    output.endBar()
    engine.dispose()
  }
}

type Timed = Awaited<ReturnType<typeof timed>>

async function timed(body: () => ReturnType<typeof fit>) {
  const begun = performance.now()
  const run = await body()
  return { run, seconds: (performance.now() - begun) / 1000 }
}

function summary({ run, seconds }: Timed): object {
  return { valAccuracy: run.epochs.at(-1)?.valAccuracy ?? 0, epochs: run.epochs.length, steps: run.steps, seconds }
}

/** The share of the most frequent label. */
function commonest(labels: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1)
  return Math.max(...counts.values()) / labels.length
}

/** Every so many held-out pictures one, with what the network takes it for. */
async function classifySome(output: Output, model: Network, data: Awaited<ReturnType<typeof openEmoji>>): Promise<void> {
  const shown = 8
  const picked = Array.from({ length: shown }, (_, i) => data.val[Math.floor(((i + 0.5) * data.val.length) / shown)]).filter(
    (sample) => sample !== undefined,
  )
  const predictions = await predict(
    model,
    picked.map(({ source }) => source),
    { topK: 1 },
  )
  output.line('Some pictures it was not trained on:')
  const rows = picked.map(({ name, label }, i) => {
    const best = predictions[i]?.top[0]
    const actual = data.classes[label] ?? ''
    return [name, `is ${actual}`, `taken for ${best?.class}`, percent(best?.probability ?? 0), best?.index === label ? 'right' : 'wrong']
  })
  for (const line of table(rows)) output.line(line)
  output.event({ type: 'examples', pictures: rows.map(([name, actual, predicted]) => ({ name, actual, predicted })) })
}
