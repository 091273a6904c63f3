import type { Command } from 'commander'
import { at } from '../../base/at.ts'
import { csvRow } from '../../base/csv.ts'
import { type DataError, UsageError } from '../../base/errors.ts'
import { counted, percent } from '../../base/format.ts'
import { writeFileAtomic } from '../../base/node/atomicFile.ts'
import { printable } from '../../base/printable.ts'
import { runFiles } from '../../base/runFiles.ts'
import { padded, widthOf } from '../../base/textWidth.ts'
import type { Sample } from '../../data/dataset.ts'
import { decodeAhead, decoding } from '../../data/loader.ts'
import type { RgbImage } from '../../host/host.ts'
import type { Network } from '../../nn/network.ts'
import { type Prediction, predict } from '../../train/evaluate.ts'
import { defaultBatchSize } from '../../train/fitOptions.ts'
import { loadRun, type RunConfig, readRunConfig, readRunTrust } from '../../train/runFolder.ts'
import { defaultRefused, fewestFor, type Trust } from '../../train/trust.ts'
import { shortPath } from '../describe.ts'
import { exitCodes } from '../errors.ts'
import { namedImages } from '../imageArguments.ts'
import { jsonLine } from '../lines.ts'
import { type CommonOptions, count, path, share, viewCount, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { nextCommand } from '../shell.ts'
import { withEngine } from '../withEngine.ts'

interface PredictOptions extends CommonOptions {
  readonly top: number
  readonly tta: number
  readonly refuse: number
  readonly csv?: boolean
  readonly out?: string
}

export function addPredict(command: Command): void {
  command
    .argument('<run>', 'a run folder, which train has written')
    .argument('<image...>', "JPEG, PNG or WebP files, folders of them, or patterns: 'in/**/*.jpg'")
    .option('--top <k>', 'how many classes to name', count, 3)
    .option(
      '--tta <n>',
      'average over so many views of each image, 1 to 10: middle, mirrored, corners',
      viewCount,
      1,
    )
    .option(
      '--refuse <share>',
      'say "none of these" where at most this share of the images of the known classes looks as ' +
        'unlike them; 0 never says it',
      share,
      defaultRefused,
    )
    .option('--csv', 'print a CSV table: file,label,probability and so on for each of --top')
    .option(
      '--out <file>',
      'write a .csv table, or a .jsonl file with one JSON object a line',
      path,
    )
  withCommon(command).addHelpText(
    'after',
    `
An image that looks unlike all classes is answered with "none of these"; in JSON it has
"verdict": {"known": false, …}, in CSV a column "known" says yes or no.
In CSV, names that a spreadsheet would take for formulas have an apostrophe before them.

Examples:
  npx graft-webgpu predict runs/photos holiday.jpg
  npx graft-webgpu predict runs/photos *.png --top 1
  npx graft-webgpu predict runs/photos new-photos --out new-photos.csv
  npx graft-webgpu predict runs/photos 'new-photos/2026-*/*.jpg' --csv > sorted.csv
  npx graft-webgpu predict runs/photos *.png --json | grep prediction`,
  )
  command.action(run)
}

/** A line of the result: an image that was classified, or one that cannot be read. */
type Answer =
  | ({ readonly type: 'prediction' } & Prediction)
  | { readonly type: 'skipped'; readonly name: string; readonly reason: string }

type Format = 'text' | 'csv' | 'json'

/** The last JSON event repeats the predictions of at most this many images. */
const mostRepeated = 1000

async function run(
  folder: string,
  names: readonly string[],
  options: PredictOptions,
  command: Command,
): Promise<void> {
  const { out } = options
  const format = formatOf(options)
  const output = new Output(options.json)
  const config = await readRunConfig(folder)
  const paths = await namedImages(names)
  const trust = options.refuse > 0 ? await readRunTrust(folder) : null
  if (!trust && options.refuse > 0 && command.getOptionValueSource('refuse') === 'cli')
    throw new UsageError(untold(folder, config))
  await withEngine(options.adapter, output, async (engine) => {
    const { model } = await loadRun(engine, folder)
    const predictions: Prediction[] = []
    let [images, failed] = [0, 0]
    const answers = async function* (): AsyncGenerator<Answer> {
      for await (const answer of classified(model, paths, { ...options, trust }, output)) {
        if (answer.type === 'skipped') {
          failed++
          output.complain(answer.reason)
        } else if (++images <= mostRepeated) {
          const { type: _, ...prediction } = answer
          predictions.push(prediction)
        }
        yield answer
      }
    }
    const top = Math.min(options.top, config.classes.length)
    const lines = linesOf(answers(), {
      format,
      top,
      column: columnOf(paths),
      judged: trust !== null,
    })
    if (out !== undefined) {
      await writeFileAtomic(out, ended(lines))
      output.labeled('written', `${out}: ${counted(images, 'image')}`)
    } else
      for await (const line of lines) {
        if (format === 'text') output.line(line)
        else output.data(line)
      }
    // Beside --out, and on a terminal: the lines of a pipe are results alone.
    const seen = format === 'text' && process.stdout.isTTY
    if (seen && !trust && options.refuse > 0) output.labeled('note', untold(folder, config))
    const [first] = predictions
    if (first && (seen || out !== undefined))
      output.command('next', nextCommand('inspect', folder, '--image', first.name))
    const repeated = out === undefined && images <= mostRepeated ? { predictions } : {}
    output.event({
      type: 'result',
      run: folder,
      ...(out ? { out } : {}),
      images,
      failed,
      ...repeated,
    })
    if (failed > 0) process.exitCode = exitCodes.failure
  })
}

/** Why a run cannot tell images of other kinds, and what to do. */
function untold(folder: string, { options }: RunConfig): string {
  const data = typeof options.data === 'string' ? shortPath(options.data) : 'DIR'
  return (
    `${folder} cannot say "none of these": it has no ${runFiles.trust}, because it was made by ` +
    `an older version, was stopped, or had fewer than ${fewestFor(defaultRefused)} images to ` +
    `judge by; '${nextCommand('train', data, '--out', folder, '--resume')}' judges again`
  )
}

/** @throws UsageError for formats that exclude each other, or a file of another one */
function formatOf({ csv = false, json = false, out }: PredictOptions): Format {
  if (csv && json) throw new UsageError('--csv and --json both say what is printed: give one')
  if (out === undefined) return csv ? 'csv' : json ? 'json' : 'text'
  if (csv) throw new UsageError('--out writes a file and --csv prints: give one of them')
  if (/\.csv$/i.test(out)) return 'csv'
  if (/\.(jsonl|ndjson)$/i.test(out)) return 'json'
  throw new UsageError(`--out writes a table or JSON lines: ${out} has to end in .csv or .jsonl`)
}

/** The width of the names' column. */
function columnOf(paths: readonly string[]): number {
  return Math.min(
    48,
    paths.reduce((most, path) => Math.max(most, widthOf(printable(path))), 0),
  )
}

/** Answers as text; a table has no rows for images that cannot be read. */
async function* linesOf(
  answers: AsyncIterable<Answer>,
  {
    format,
    top,
    column,
    judged,
  }: {
    readonly format: Format
    readonly top: number
    readonly column: number
    /** Whether it is known which images are of none of the classes. */
    readonly judged: boolean
  },
): AsyncGenerator<string> {
  if (format === 'csv') yield csvRow([...headerOf(top), ...(judged ? ['known'] : [])])
  for await (const answer of answers) {
    if (format === 'json') yield jsonLine(answer)
    else if (answer.type === 'skipped') continue
    else if (format === 'csv')
      yield csvRow([
        answer.name,
        ...answer.top.flatMap((one) => [one.class, one.probability] as const),
        ...(answer.verdict ? [answer.verdict.known ? 'yes' : 'no'] : []),
      ])
    else {
      const classes = answer.top.map((one) => `${one.class} ${percent(one.probability)}`)
      const said =
        answer.verdict?.known === false
          ? `none of these (the nearest: ${classes.join(', ')})`
          : classes.join('  ')
      yield `${padded(printable(answer.name), column)}  ${said}`
    }
  }
}

async function* ended(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`
}

/** The first columns are those of a table of labels, which `graft train` reads. */
function headerOf(top: number): string[] {
  const others = Array.from({ length: top - 1 }, (_, i) => [
    `next_${i + 1}`,
    `probability_${i + 1}`,
  ])
  return ['file', 'label', 'probability', ...others.flat()]
}

/** Bytes of pixels that are classified together. */
const batchBytes = 2 ** 28

/** Classifies images batch by batch, in their order; broken ones come where they are met. */
async function* classified(
  model: Network,
  paths: readonly string[],
  { top: topK, tta, refuse, trust }: PredictOptions & { readonly trust: Trust | null },
  output: Output,
): AsyncGenerator<Answer> {
  const samples: readonly Sample[] = paths.map((path) => ({ source: path, name: path, label: 0 }))
  let broken: Answer[] = []
  const reading = {
    ...decoding(model.engine),
    onBroken: ({ name }: Sample, { message }: DataError) => {
      broken.push({ type: 'skipped', name, reason: message })
    },
  }
  let batch: { readonly name: string; readonly image: RgbImage }[] = []
  const answers = async (): Promise<Answer[]> => {
    const images = batch.map(({ image }) => image)
    const predictions = await predict(model, images, { topK, tta, refuse, ...judging })
    const done = predictions.map((prediction, i): Answer => {
      return { ...prediction, type: 'prediction', name: at(batch, i).name }
    })
    const all = [...broken, ...done]
    broken = []
    batch = []
    return all
  }
  const judging = trust ? { trust } : {}
  let [bytes, read] = [0, 0]
  for await (const { sample, image } of decodeAhead(samples, [...paths.keys()], reading)) {
    batch.push({ name: sample.name, image })
    bytes += image.data.length
    if (batch.length < defaultBatchSize && bytes < batchBytes) continue
    read += batch.length
    bytes = 0
    yield* await answers()
    output.progress('predicting', read, paths.length, `${read} of ${paths.length} images`)
  }
  yield* await answers()
}
