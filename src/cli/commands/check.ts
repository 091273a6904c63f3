import type { Command } from 'commander'
import { UsageError } from '../../base/errors.ts'
import { counted } from '../../base/format.ts'
import { type CheckReport, type CheckRow, checkKernels, shownSuspects } from '../../check/check.ts'
import type { Subject } from '../../check/subject.ts'
import { subjectNamed, subjects } from '../../check/subjects.ts'
import { createEngine } from '../../nodeHost.ts'
import { describeEngine } from '../describe.ts'
import { exitCodes } from '../errors.ts'
import { table } from '../lines.ts'
import { type CommonOptions, number, seedNumber, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { nextCommand } from '../shell.ts'

interface CheckCommandOptions extends CommonOptions {
  readonly cases: number
  readonly seed: number
}

export function addCheck(command: Command): void {
  const names = subjects.map(({ name }) => name).join(', ')
  command
    .argument('[op...]', `what to check, of ${names} (default: all)`)
    .option(
      '--cases <n>',
      'drawn shapes for each, besides those at the edges',
      number({ integer: true, min: 0 }),
      12,
    )
    .option('--seed <n>', 'seeds shapes and values', seedNumber, 1)
  withCommon(command).addHelpText(
    'after',
    `
For when you doubt a driver. The exit code is 0 only where every result is within the error that
float32 allows.

Examples:
  npx graft-webgpu check
  npx graft-webgpu check conv2d linear --cases 100
  npx graft-webgpu check --adapter hardware --seed 2`,
  )
  command.action(run)
}

async function run(names: readonly string[], options: CheckCommandOptions): Promise<void> {
  const output = new Output(options.json)
  const chosen = choose(names)
  const { adapter } = options
  const fast = await createEngine({ adapter })
  // The plain kernels check the fast ones, and run where those cannot; on their own device beside
  // them.
  const plain = chosen.some(({ kernels }) => kernels.includes('plain'))
    ? await createEngine({ adapter, kernels: 'plain' })
    : null
  try {
    describeEngine(output, fast)
    if (fast.info.subgroup === null)
      output.labeled(
        'kernels',
        'subgroups cannot be relied on here: the plain kernels run everywhere',
      )
    const begun = performance.now()
    let done = 0
    const report = await checkKernels(plain ? { fast, plain } : { fast }, chosen, {
      drawn: options.cases,
      seed: options.seed,
      onRow: (row) => {
        output.event({ type: 'row', ...row })
        output.progress('checking', ++done, 2 * chosen.length + 12, row.subject)
      },
    })
    output.endProgress()
    output.line()
    output.lines(rowsAsTable(report.rows))
    output.line()
    output.labeled(
      'result',
      'y is what the operator gives, dx and the like are gradients; each is compared with the ' +
        'same computed in float64, and gradients also with differences of the loss',
    )
    output.labeled('error', 'the largest, relative to the size of the numbers, and at which place')
    output.line()
    output.lines(verdict(report, chosen, (performance.now() - begun) / 1000))
    output.event({ type: 'result', ok: report.ok, rows: report.rows, suspects: report.suspects })
    if (!report.ok) process.exitCode = exitCodes.failure
    // Where another adapter agrees, this one's driver is at fault.
    if (report.ok) output.command('next', nextCommand('demo'))
    else if (fast.info.kind !== 'swiftshader')
      output.command('next', nextCommand('check', ...names, '--adapter', 'swiftshader'))
  } finally {
    output.endProgress()
    plain?.dispose()
    fast.dispose()
  }
}

function choose(names: readonly string[]): readonly Subject[] {
  const unknown = names.filter((name) => !subjectNamed(name))
  if (unknown.length)
    throw new UsageError(
      `there is nothing called ${unknown.join(', ')} to check; ` +
        `choose from ${subjects.map(({ name }) => name).join(', ')}`,
    )
  const named = names.map(subjectNamed)
  return names.length ? subjects.filter((subject) => named.includes(subject)) : subjects
}

const digits = (value: number) => (value === 0 ? '0' : value.toExponential(1))

function rowsAsTable(rows: readonly CheckRow[]): string[] {
  const header = ['', 'result', 'against', 'cases', 'error', 'at', '', 'kernels']
  let before = ''
  const lines = rows.map((row) => {
    const name = `${row.subject}${row.kernels === 'plain' ? ', plain' : ''}`
    const shown = name === before ? '' : name
    before = name
    const { worst } = row
    return [
      shown,
      row.what,
      row.against === 'differences' ? 'differences' : row.against ? 'float64' : '',
      row.failed ? `${row.failed} of ${row.cases}` : row.cases,
      worst ? digits(worst.relative) : '',
      worst ? `[${worst.at.join(', ')}]` : '',
      row.verdict === 'ok' ? 'ok' : row.verdict.toUpperCase(),
      kernelsOf(row.files),
    ]
  })
  return table([header, ...lines], { right: [3, 4] })
}

/** `contract/pack, pad, tile`: the folder once, without endings. */
function kernelsOf(files: readonly string[]): string {
  let folder = ''
  return files
    .map((file) => {
      const [here = '', name = ''] = file.replace(/\.wgsl$/, '').split('/')
      const text = here === folder ? name : `${here}/${name}`
      folder = here
      return text
    })
    .join(', ')
}

/**
 * What a person has to know: that all is well, or what is wrong, where, and which kernel it points
 * at.
 */
function verdict(
  { rows, suspects, ok }: CheckReport,
  chosen: readonly Subject[],
  seconds: number,
): string[] {
  const cases = rows.reduce((sum, row) => sum + row.cases, 0)
  if (ok)
    return [
      `All ${counted(cases, 'comparison')} are within what float32 may be off by; ` +
        `${seconds.toFixed(1)} s.`,
    ]
  const reasons = new Map(chosen.map(({ name, tolerance }) => [name, tolerance]))
  const wrong = rows.filter((row) => row.verdict !== 'ok')
  const details = wrong.flatMap(({ subject, what, error, worst }) => {
    if (error) return [`  ${subject}: ${error}`]
    if (!worst) return []
    const { actual, expected, at, relative, allowed } = worst
    return [
      `  ${subject} ${what}: ${actual} where ${expected} belongs, ` +
        `at [${at.join(', ')}] of ${worst.case};`,
      `    off by ${digits(relative)}, allowed is ${digits(allowed.relative)}: ` +
        `${reasons.get(subject)}`,
    ]
  })
  const named = suspects
    .slice(0, shownSuspects)
    .map(
      ({ file, wrong, of }) =>
        `  shaders/${file}: ${wrong} of the ${counted(of, 'result')} it led to`,
    )
  return [
    `${counted(wrong.length, 'row')} of ${rows.length} wrong:`,
    ...details,
    '',
    'It points at:',
    ...named,
  ]
}
