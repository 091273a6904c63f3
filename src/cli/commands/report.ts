import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { counted, percent, percentRange } from '../../base/format.ts'
import { writeFileAtomic } from '../../base/node/atomicFile.ts'
import { makeFolder } from '../../base/node/folder.ts'
import { runFiles } from '../../base/runFiles.ts'
import type { Report } from '../../report/figures.ts'
import { loadRun, readRunConfig, readRunMetrics, readRunTimings } from '../../train/runFolder.ts'
import { dataPlace } from '../dataPlace.ts'
import { describeData, describeEngine, shortPath } from '../describe.ts'
import { type CommonOptions, number, path, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { openRunData, warnOfOtherImages } from '../runImages.ts'
import { nextCommand } from '../shell.ts'
import { withEngine } from '../withEngine.ts'

interface ReportOptions extends CommonOptions {
  readonly out?: string
  readonly topLosses: number
}

export function addReport(command: Command): void {
  command
    .argument('<run>', 'a run folder, which train has written')
    .argument('[dir]', "the images (default: where the run's own were)")
    .option(
      '--top-losses <n>',
      'images with the largest losses to show',
      number({ integer: true, min: 0 }),
      12,
    )
    .option('--out <file>', 'the HTML file (default: report.html in the run folder)', path)
  withCommon(command).addHelpText(
    'after',
    `
The file is complete: it needs no other file and no network. --json prints the same figures.

Examples:
  npx graft-webgpu report runs/photos
  npx graft-webgpu report runs/photos moved/photos --out photos.html
  npx graft-webgpu report runs/photos --json | tail -1`,
  )
  command.action(run)
}

async function run(
  folder: string,
  given: string | undefined,
  options: ReportOptions,
): Promise<void> {
  const output = new Output(options.json)
  const config = await readRunConfig(folder)
  const dir = given === undefined ? undefined : await dataPlace(given, {}, output)
  const data = await openRunData('report', dir, folder, config)
  const [epochs, timings] = [await readRunMetrics(folder), await readRunTimings(folder)]
  const { mtime: trained } = await stat(join(folder, runFiles.weights))
  const [{ measureRun }, { runPage }, { verdictOf }] = await Promise.all([
    import('../../report/figures.ts'),
    import('../../report/run.tsx'),
    import('../../report/verdict.ts'),
  ])
  await withEngine(options.adapter, output, async (engine) => {
    const { model } = await loadRun(engine, folder)
    describeEngine(output, engine)
    describeData(output, data)
    warnOfOtherImages(output, folder, data.root, config, data)
    const report = await measureRun(
      { folder, model, config, data, epochs, timings, trained },
      {
        topLosses: options.topLosses,
        onEvent: (event) => output.training(event),
        onImage: (done, total) =>
          output.progress('looking', done, total, `${done} of ${total} images`),
      },
    )
    const path = options.out ?? join(folder, 'report.html')
    await makeFolder(dirname(path))
    await writeFileAtomic(path, runPage(asSeenFromHere(report)))
    const { accuracy, calibration, plan } = report.figures
    if (accuracy) {
      const { value, low, high, of } = accuracy
      output.labeled(
        'accuracy',
        `${percent(value)} (95 %: ${percentRange(low, high)}) of ${counted(of, 'image')}`,
      )
    }
    output.labeled(
      'calibration',
      `the confidence it states and the accuracy it has differ by ${percent(calibration.error)} ` +
        'on average (the expected calibration error)',
    )
    const verdict = verdictOf({ scenario: plan.scenario, ...report.figures })
    for (const [i, { text }] of verdict.entries()) output.labeled(i === 0 ? 'verdict' : '', text)
    output.labeled('report', `${shortPath(path)}: one file, for any browser`)
    output.event({ type: 'result', report: path, verdict, ...report.figures })
    output.command('next', nextCommand('export', folder))
  })
}

/** A report whose commands and titles name the images as one would type them here. */
function asSeenFromHere(report: Report): Report {
  const { figures } = report
  const { data, options } = figures
  const named = typeof options.data === 'string' ? { data: shortPath(options.data) } : {}
  return {
    ...report,
    figures: {
      ...figures,
      data: { ...data, root: shortPath(data.root) },
      options: { ...options, ...named },
    },
  }
}
