import type { Command } from 'commander'
import { at } from '../../base/at.ts'
import { DataError } from '../../base/errors.ts'
import { percent } from '../../base/format.ts'
import { printable } from '../../base/printable.ts'
import { decodeImage, type RgbImage } from '../../host/node/decode.ts'
import type { Network } from '../../nn/network.ts'
import { type Prediction, predict } from '../../train/evaluate.ts'
import { defaultBatchSize } from '../../train/fitOptions.ts'
import { loadRun, readRunConfig } from '../../train/runFolder.ts'
import { exitCodes } from '../errors.ts'
import { type CommonOptions, count, viewCount, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { withEngine } from '../withEngine.ts'

interface PredictOptions extends CommonOptions {
  readonly top: number
  readonly tta: number
}

export function addPredict(program: Command): void {
  const command = program
    .command('predict')
    .description('Classify images with a trained run.')
    .argument('<run>', 'a run folder, from graft train')
    .argument('<image...>', 'JPEG, PNG or WebP files')
    .option('--top <k>', 'how many classes to name', count, 3)
    .option(
      '--tta <n>',
      'average over so many views of each image, 1 to 10: middle, mirrored, corners',
      viewCount,
      1,
    )
  withCommon(command).addHelpText(
    'after',
    `
Examples:
  graft predict runs/photos-small-similar holiday.jpg
  graft predict runs/photos-small-similar *.png --top 1
  graft predict runs/photos-small-similar *.png --json | grep prediction`,
  )
  command.action(run)
}

async function run(
  folder: string,
  paths: readonly string[],
  options: PredictOptions,
): Promise<void> {
  const output = new Output(options.json)
  await readRunConfig(folder)
  await withEngine(options.adapter, output, async (engine) => {
    const { model } = await loadRun(engine, folder)
    const width = Math.min(48, Math.max(...paths.map((path) => path.length)))
    const predictions: Prediction[] = []
    let failed = 0
    for (let start = 0; start < paths.length; start += defaultBatchSize) {
      if (paths.length > defaultBatchSize)
        output.progress('predicting', start, paths.length, `${start} of ${paths.length} images`)
      const { images, errors } = await decodeAll(paths.slice(start, start + defaultBatchSize))
      for (const { name, error } of errors) {
        failed++
        output.event({ type: 'skipped', name, reason: error.message })
        output.complain(error.message)
      }
      for (const prediction of await classify(model, images, options)) {
        predictions.push(prediction)
        output.event({ type: 'prediction', ...prediction })
        const classes = prediction.top.map((one) => `${one.class} ${percent(one.probability)}`)
        output.line(`${printable(prediction.name).padEnd(width)}  ${printable(classes.join('  '))}`)
      }
    }
    output.event({ type: 'result', run: folder, predictions, failed })
    if (failed > 0) process.exitCode = exitCodes.failure
  })
}

interface NamedImage {
  readonly name: string
  readonly image: RgbImage
}

/** Decodes images in parallel; a broken one does not stop the others. */
async function decodeAll(paths: readonly string[]) {
  const images: NamedImage[] = []
  const errors: { readonly name: string; readonly error: DataError }[] = []
  const outcomes = await Promise.allSettled(paths.map((path) => decodeImage(path)))
  for (const [i, outcome] of outcomes.entries()) {
    const name = at(paths, i)
    if (outcome.status === 'fulfilled') images.push({ name, image: outcome.value })
    else if (outcome.reason instanceof DataError) errors.push({ name, error: outcome.reason })
    else throw outcome.reason
  }
  return { images, errors }
}

async function classify(
  model: Network,
  images: readonly NamedImage[],
  { top: topK, tta }: PredictOptions,
): Promise<Prediction[]> {
  const predictions = await predict(
    model,
    images.map(({ image }) => image),
    { topK, tta },
  )
  return predictions.map(({ top }, i) => ({ name: at(images, i).name, top }))
}
