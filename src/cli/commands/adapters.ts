import type { Command } from 'commander'
import { AdapterError, GraftError } from '../../base/errors.ts'
import { thousands } from '../../base/format.ts'
import { type AdapterReport, describeAdapters } from '../../host/node/adapters.ts'
import { installLavapipe } from '../../host/node/installLavapipe.ts'
import { asStarted } from '../invocation.ts'
import { table } from '../lines.ts'
import { type CommonOptions, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { nextCommand } from '../shell.ts'

interface AdaptersOptions extends CommonOptions {
  readonly installLavapipe?: boolean
}

export function addAdapters(command: Command): void {
  command.option(
    '--install-lavapipe',
    "first install lavapipe, Mesa's CPU driver, with apt: needs root on Debian or Ubuntu",
  )
  withCommon(command).addHelpText(
    'after',
    `
Graft takes a hardware adapter if there is one, else lavapipe, else SwiftShader.
--adapter or GRAFT_ADAPTER chooses another.

Examples:
  npx graft-webgpu adapters
  npx graft-webgpu adapters --adapter swiftshader
  sudo npx graft-webgpu adapters --install-lavapipe`,
  )
  command.action(run)
}

async function run(options: AdaptersOptions): Promise<void> {
  const output = new Output(options.json)
  if (options.installLavapipe) await install(output)
  const reports = await describeAdapters()
  const { adapter: wanted } = options
  const chosen = reports.find(({ kind, found }) => found && (wanted === 'auto' || wanted === kind))
  if (chosen) output.event({ type: 'result', chosen: chosen.kind, adapters: reports.map(asJson) })
  for (const { kind, detail, howTo, adapter } of reports) {
    output.labeled(kind, adapter ? detail : `not found: ${detail}`)
    if (!adapter) output.labeled('', `to get it: ${asStarted(howTo)}`)
  }
  if (!chosen?.adapter) {
    output.event({ type: 'adapters', adapters: reports.map(asJson) })
    const missing = wanted === 'auto' ? 'WebGPU' : wanted
    throw new AdapterError(
      `there is no ${missing} adapter; the lines above say for each kind how to get it`,
      reports,
    )
  }
  output.labeled(
    'chosen',
    wanted === 'auto'
      ? `${chosen.kind}, unless --adapter or GRAFT_ADAPTER names another`
      : `${chosen.kind}, as requested`,
  )
  describe(output, chosen.adapter)
  output.line()
  output.command('next', nextCommand('demo'))
}

async function install(output: Output): Promise<void> {
  try {
    await installLavapipe((line) => {
      output.event({ type: 'log', line })
      output.line(line)
    })
  } catch (cause) {
    if (cause instanceof GraftError || !(cause instanceof Error)) throw cause
    throw new GraftError('install', `lavapipe was not installed: ${cause.message}`, { cause })
  }
}

/** The limits that matter to compute shaders. */
const forCompute = /^max(Bind|Buffer|Compute|StorageBuffer(Binding|s)|UniformBuffer)/
/** Those among them that are for drawing only. */
const forDrawing = /(InFragmentStage|InVertexStage|VertexBuffers)$/

/** Features and limits, as Dawn reports them. */
function describe(output: Output, adapter: GPUAdapter): void {
  output.labeled('features', featuresOf(adapter).join(', '))
  const rows = Object.entries(limitsOf(adapter)).filter(
    ([name]) => forCompute.test(name) && !forDrawing.test(name),
  )
  output.lines([
    '',
    ...table([['limit', ''], ...rows.map(([name, value]) => [name, thousands(value)])], {
      right: [1],
    }),
  ])
}

function asJson({ kind, found, detail, howTo, adapter }: AdapterReport): object {
  return {
    kind,
    found,
    detail,
    howTo,
    features: adapter && featuresOf(adapter),
    limits: adapter && limitsOf(adapter),
  }
}

function featuresOf(adapter: GPUAdapter): string[] {
  return [...adapter.features].sort()
}

function limitsOf({ limits }: GPUAdapter): Record<string, number> {
  const names: string[] = []
  for (const name in limits) names.push(name)
  const values = limits as unknown as Readonly<Record<string, unknown>>
  const entries = names.map((name): [string, unknown] => [name, values[name]])
  return Object.fromEntries(
    entries
      .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}
