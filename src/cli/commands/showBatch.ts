import { type Command, Option } from 'commander'
import { at } from '../../base/at.ts'
import { DataError, UsageError } from '../../base/errors.ts'
import { counted } from '../../base/format.ts'
import { writeFileAtomic } from '../../base/node/atomicFile.ts'
import { Random } from '../../base/random.ts'
import { augmentationOf } from '../../data/augment.ts'
import { augmentImages } from '../../data/augmentImages.ts'
import type { ImageDataset, Sample } from '../../data/dataset.ts'
import { openData } from '../../data/openData.ts'
import { preprocessImages } from '../../data/transforms.ts'
import { decodeImage } from '../../host/node/decode.ts'
import { loadSharp } from '../../host/node/sharp.ts'
import { preprocessOf, type Variant, variants } from '../../nn/alexnet.ts'
import type { Engine } from '../../tensor/tensor.ts'
import { drawInEpoch } from '../../train/imageSource.ts'
import { dataPlace } from '../dataPlace.ts'
import { describeAugmentation, describeData } from '../describe.ts'
import { type CommonOptions, count, divisionOf, path, seedNumber, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { drawSheet, type SheetRow } from '../sheet.ts'
import { nextCommand } from '../shell.ts'
import { tableOption } from '../tableOptions.ts'
import { withEngine } from '../withEngine.ts'

interface ShowBatchOptions extends CommonOptions {
  readonly out: string
  readonly augment: true | string
  readonly variant: Variant
  readonly count: number
  readonly epochs: number
  readonly split: number
  readonly seed: number
}

export function addShowBatch(command: Command): void {
  command
    .argument('<dir>', 'images, as train takes them')
    .option('--out <file>', 'the sheet, a .png', path, 'sheet.png')
    .addOption(tableOption('augment').default(true, 'standard'))
    .addOption(
      new Option('--variant <name>', 'the network, which decides the preprocessing')
        .choices(variants)
        .default('alexnet-64'),
    )
    .option('--count <n>', 'images', count, 8)
    .option('--epochs <n>', 'epochs of training to show', count, 5)
    .addOption(tableOption('split'))
    .option(
      '--seed <n>',
      'as for train: the same seed and split show what that training sees',
      seedNumber,
      0,
    )
  withCommon(command).addHelpText(
    'after',
    `
Examples:
  npx graft-webgpu show-batch photos
  npx graft-webgpu show-batch photos --augment strong,flip=0 --out strong.png
  npx graft-webgpu show-batch photos --variant bvlc --count 4 --seed 7`,
  )
  command.action(run)
}

async function run(dir: string, options: ShowBatchOptions, command: Command): Promise<void> {
  const output = new Output(options.json)
  const { out, augment } = options
  if (!/\.png$/i.test(out))
    throw new UsageError(`the sheet is a PNG: --out ${out} has to end in .png`)
  const sharp = await loadSharp()
  const data = await openData(await dataPlace(dir, {}, output), divisionOf(options, command))
  describeData(output, data)
  const augmentation = augmentationOf(augment)
  output.labeled('augment', describeAugmentation(augmentation))
  await withEngine(options.adapter, output, async (engine) => {
    const shown = pick(data, options)
    const rows: SheetRow[] = []
    for (const [index, sample] of shown) {
      const row = await drawRow(engine, data, sample, index, options).catch((error: unknown) => {
        if (!(error instanceof DataError)) throw error
        output.warn(`skipped ${error.message}`)
        return null
      })
      if (row) rows.push(row)
    }
    if (rows.length === 0)
      throw new DataError(
        `none of the ${counted(shown.size, 'image')} drawn from ${data.root} can be decoded`,
      )
    const headings = [
      'validation',
      ...Array.from({ length: options.epochs }, (_, i) => `epoch ${i + 1}`),
    ]
    await writeFileAtomic(
      out,
      await drawSheet(sharp, headings, rows, preprocessOf(options.variant)),
    )
    const pictures = rows.map(({ title, subtitle }) => ({ class: title, name: subtitle }))
    output.event({ type: 'result', out, augmentation, pictures })
    output.labeled(
      'sheet',
      `${out}: ${counted(rows.length, 'image')} in validation ` +
        `and in ${counted(options.epochs, 'epoch')} of training`,
    )
    output.command(
      'next',
      nextCommand('train', dir, '--augment', ...(augment === true ? [] : [augment])),
    )
  })
}

/**
 * Training images drawn by the seed, one of each class before a second of any, by their index in
 * the training set.
 */
function pick(
  { train, classes }: ImageDataset,
  { count, seed }: ShowBatchOptions,
): Map<number, Sample> {
  const order = Uint32Array.from({ length: train.length }, (_, i) => i)
  new Random(seed, pickStream).shuffle(order)
  const [firsts, others] = [new Map<number, Sample>(), new Map<number, Sample>()]
  const met = new Set<number>()
  for (const index of order) {
    const sample = train.at(index)
    if (!sample) continue
    if (!met.has(sample.label)) firsts.set(index, sample)
    else if (others.size < count) others.set(index, sample)
    met.add(sample.label)
    if (
      firsts.size === count ||
      (met.size === classes.length && firsts.size + others.size >= count)
    )
      break
  }
  return new Map([...firsts, ...others].slice(0, count))
}

/** A random stream of its own: the data's split and order use others. */
const pickStream = 3000

async function drawRow(
  engine: Engine,
  { classes }: ImageDataset,
  { source, name, label }: Sample,
  index: number,
  { augment, variant, epochs, seed }: ShowBatchOptions,
): Promise<SheetRow> {
  const image = await decodeImage(source, name)
  const preprocess = preprocessOf(variant)
  const seeded = { augmentation: augmentationOf(augment), seed }
  const draws = Array.from({ length: epochs }, (_, i) =>
    drawInEpoch(seeded, i + 1, index, image, preprocess),
  )
  const inputs = [
    preprocessImages(engine, [image], preprocess),
    augmentImages(engine, new Array(epochs).fill(image), draws, preprocess),
  ]
  const pixels = await engine.read(inputs)
  for (const input of inputs) input.dispose()
  const [plain, augmented] = [at(pixels, 0), at(pixels, 1)]
  const size = plain.length
  const tiles = [
    plain,
    ...Array.from({ length: epochs }, (_, i) => augmented.subarray(i * size, (i + 1) * size)),
  ]
  return { title: at(classes, label), subtitle: name, tiles }
}
