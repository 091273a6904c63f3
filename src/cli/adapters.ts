import type { Command } from 'commander'
import { AdapterError } from '../gpu/errors.ts'
import { installLavapipe } from '../gpu/node/installLavapipe.ts'
import { type AdapterReport, describeAdapters } from '../gpu/node/platform.ts'
import { Output } from './output.ts'

interface AdaptersOptions {
  readonly installLavapipe?: boolean
  readonly json?: boolean
}

export function addAdapters(program: Command): void {
  program
    .command('adapters')
    .description('Show which GPU adapters there are, what was tried, and how to get the others.')
    .option('--install-lavapipe', 'install Mesa’s CPU driver by apt; needs root on Debian or Ubuntu')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExamples:\n  graft adapters\n  sudo npx graft adapters --install-lavapipe')
    .action(run)
}

const shownLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupStorageSize',
  'maxStorageBuffersPerShaderStage',
] as const

async function run(options: AdaptersOptions): Promise<void> {
  const output = new Output(options.json ?? false)
  if (options.installLavapipe) await installLavapipe((line) => output.line(line))
  const reports = await describeAdapters()
  const chosen = reports.find(({ found }) => found)
  output.event({ type: 'result', chosen: chosen?.kind ?? null, adapters: reports.map(asJson) })
  for (const report of reports) {
    const { kind, detail, howTo, adapter } = report
    output.line(`${kind.padEnd(12)} ${detail}${report === chosen ? '   (what auto takes)' : ''}`)
    if (!adapter) {
      output.line(`${' '.repeat(13)}to get it: ${howTo}`)
      continue
    }
    output.line(`${' '.repeat(13)}features: ${featuresOf(adapter).join(', ')}`)
    output.line(`${' '.repeat(13)}limits: ${shownLimits.map((name) => `${name} ${size(adapter.limits[name])}`).join(', ')}`)
  }
  if (!chosen) throw new AdapterError('no WebGPU adapter was found; each line above says how to get one', reports)
}

function asJson({ kind, found, detail, howTo, adapter }: AdapterReport): object {
  const limits = adapter ? Object.fromEntries(shownLimits.map((name) => [name, adapter.limits[name]])) : null
  return { kind, found, detail, howTo, features: adapter ? featuresOf(adapter) : null, limits }
}

function featuresOf(adapter: GPUAdapter): string[] {
  return ['subgroups', 'shader-f16', 'timestamp-query'].filter((name) => adapter.features.has(name as GPUFeatureName))
}

/** Bytes in MiB where they are many. */
function size(n: number): string {
  return n >= 2 ** 20 ? `${Math.floor(n / 2 ** 20)} Mi` : String(n)
}
