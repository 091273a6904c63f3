import type { Command } from 'commander'
import { UsageError } from '../../base/errors.ts'
import { counted, percent } from '../../base/format.ts'
import { writeFileAtomic } from '../../base/node/atomicFile.ts'
import { printable } from '../../base/printable.ts'
import { runFiles } from '../../base/runFiles.ts'
import { padded, widthOf } from '../../base/textWidth.ts'
import type { Sample } from '../../data/dataset.ts'
import { isAddress } from '../../store/node/address.ts'
import { type Answer, type AnswerFormat, answerLines, classified } from '../../train/answers.ts'
import type { Prediction } from '../../train/evaluate.ts'
import { loadRun, type RunConfig, readRunConfig, readRunTrust } from '../../train/runFolder.ts'
import { defaultRefused, fewestFor } from '../../train/trust.ts'
import type { BulkOptions } from '../bulkPredict.ts'
import { shortPath } from '../describe.ts'
import { exitCodes } from '../errors.ts'
import { namedImages } from '../imageArguments.ts'
import { requireNoJobs, withJobs } from '../jobOptions.ts'
import { count, path, share, viewCount, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { nextCommand } from '../shell.ts'
import { withEngine } from '../withEngine.ts'

type PredictOptions = BulkOptions

export function addPredict(command: Command): void {
  command
    .argument('<run>', 'a run folder, which train has written')
    .argument(
      '<image...>',
      "JPEG, PNG or WebP files, folders of them, or patterns: 'in/**/*.jpg'; for --out PLACE one " +
        'folder, .tar, table or address: s3://photos',
    )
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
      '--out <file|place>',
      'write a .csv table, or a .jsonl file with one JSON object a line; or into a folder or at ' +
        'an address (s3://answers) many such files and a manifest.json',
      path,
    )
  withJobs(
    command,
    'have the workers of this queue classify, into --out PLACE',
    'where shards and marks of what is done lie (default: .graft in --out PLACE)',
  )
  withCommon(command).addHelpText(
    'after',
    `
An image that looks unlike all classes is answered with "none of these"; in JSON it has
"verdict": {"known": false, …}, in CSV a column "known" says yes or no.
In CSV, names that a spreadsheet would take for formulas have an apostrophe before them.

With --out PLACE images are divided into shards, and each has a file of answers: JSON lines, or CSV
with --csv. The manifest tells of all files, of broken images, and which adapter computed what. What
is done is found when the command is given again.

Examples:
  npx graft-webgpu predict runs/photos holiday.jpg
  npx graft-webgpu predict runs/photos *.png --top 1
  npx graft-webgpu predict runs/photos new-photos --out new-photos.csv
  npx graft-webgpu predict runs/photos 'new-photos/2026-*/*.jpg' --csv > sorted.csv
  npx graft-webgpu predict runs/photos *.png --json | grep prediction
  npx graft-webgpu predict runs/photos new-photos --out answers/
  npx graft-webgpu predict runs/photos s3://photos --queue redis://host --out s3://answers`,
  )
  command.action(run)
}

/** Whether `--out` names a place for many files: an address, or a folder. */
function isPlaceOfParts(out: string): boolean {
  return isAddress(out) || /(^|[\\/])[^.\\/]*[\\/]?$/.test(out) || /[\\/]$/.test(out)
}

type Format = 'text' | AnswerFormat

/** The last JSON event repeats the predictions of at most this many images. */
const mostRepeated = 1000

async function run(
  folder: string,
  names: readonly string[],
  options: PredictOptions,
  command: Command,
): Promise<void> {
  const { out } = options
  const output = new Output(options.json)
  if (out !== undefined && isPlaceOfParts(out)) {
    const { bulkPredict } = await import('../bulkPredict.ts')
    await bulkPredict(folder, names, { ...options, out }, output)
    return
  }
  requireNoJobs(command, 'name a folder or an address with --out')
  const format = formatOf(options)
  const config = await readRunConfig(folder)
  const samples = await namedImages(names)
  const trust = options.refuse > 0 ? await readRunTrust(folder) : null
  if (!trust && options.refuse > 0 && command.getOptionValueSource('refuse') === 'cli')
    throw new UsageError(untold(folder, config))
  await withEngine(options.adapter, output, async (engine) => {
    const { model } = await loadRun(engine, folder)
    const predictions: Prediction[] = []
    let [images, failed] = [0, 0]
    const answers = async function* (): AsyncGenerator<Answer> {
      const onProgress = (read: number) =>
        output.progress('predicting', read, samples.length, `${read} of ${samples.length} images`)
      for await (const answer of classified(model, samples, { ...options, trust, onProgress })) {
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
    const lines =
      format === 'text'
        ? textOf(answers(), columnOf(samples))
        : answerLines(answers(), format, { top, judged: trust !== null })
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
function columnOf(samples: readonly Sample[]): number {
  return Math.min(
    48,
    samples.reduce((most, { name }) => Math.max(most, widthOf(printable(name))), 0),
  )
}

/** Answers for people. */
async function* textOf(answers: AsyncIterable<Answer>, column: number): AsyncGenerator<string> {
  for await (const answer of answers) {
    if (answer.type === 'skipped') continue
    const classes = answer.top.map((one) => `${one.class} ${percent(one.probability)}`)
    const said =
      answer.verdict?.known === false
        ? `none of these (the nearest: ${classes.join(', ')})`
        : classes.join('  ')
    yield `${padded(printable(answer.name), column)}  ${said}`
  }
}

async function* ended(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`
}
