import type { Command } from 'commander'
import { decodeImage, type RgbImage } from '../data/decode.ts'
import { DataError } from '../gpu/errors.ts'
import { createEngine } from '../index.ts'
import { predict } from '../train/evaluate.ts'
import { loadRun } from '../train/runFolder.ts'
import { type CommonOptions, count, withCommon } from './options.ts'
import { exitCodes, Output, percent } from './output.ts'

interface PredictOptions extends CommonOptions {
  readonly top: number
}

export function addPredict(program: Command): void {
  const command = program
    .command('predict')
    .description('Say what is on pictures, by a trained run.')
    .argument('<run>', 'a run folder, from graft train')
    .argument('<image...>', 'PNG, JPEG or WebP files')
    .option('--top <k>', 'how many classes to name', count, 3)
  withCommon(command).addHelpText(
    'after',
    '\nExamples:\n  graft predict runs/photos holiday.jpg\n  graft predict runs/photos *.png --top 1 --json',
  )
  command.action(run)
}

/** Pictures that are decoded and classified together. */
const groupSize = 32

async function run(folder: string, paths: readonly string[], options: PredictOptions): Promise<void> {
  const output = new Output(options.json ?? false)
  const engine = await createEngine({ adapter: options.adapter })
  let broken = 0
  try {
    const { model } = await loadRun(engine, folder)
    const results: object[] = []
    for (let start = 0; start < paths.length; start += groupSize) {
      const group = paths.slice(start, start + groupSize)
      const decoded = await Promise.all(group.map((path) => decodeImage(path).catch((error: unknown) => error)))
      const names = group.filter((_, i) => !(decoded[i] instanceof Error))
      for (const error of decoded) {
        if (!(error instanceof Error)) continue
        if (!(error instanceof DataError)) throw error
        broken++
        output.event({ type: 'skipped', reason: error.message })
        output.endBar()
        process.stderr.write(`graft: ${error.message}\n`)
      }
      const images = decoded.filter((image): image is RgbImage => !(image instanceof Error))
      for (const [i, { top }] of (await predict(model, images, { topK: options.top })).entries()) {
        const name = names[i] ?? ''
        output.event({ type: 'prediction', name, top })
        output.line(`${name}   ${top.map((one) => `${one.class} ${percent(one.probability).trim()}`).join('   ')}`)
        results.push({ name, top })
      }
    }
    output.event({ type: 'result', predictions: results, skipped: broken })
  } finally {
    engine.dispose()
  }
  if (broken) process.exitCode = exitCodes.failure
}
