import type { Command } from 'commander'
import { UsageError } from '../../base/errors.ts'
import { counted, thousands } from '../../base/format.ts'
import { openDashboard } from '../../jobs/node/dashboard.ts'
import { QueueAdmin } from '../../jobs/node/queueAdmin.ts'
import { untilStopped } from '../interrupt.ts'
import { table } from '../lines.ts'
import { number } from '../options.ts'
import { Output } from '../output.ts'
import { type QueueOptions, withQueue } from '../queueOptions.ts'
import { nextCommand } from '../shell.ts'

interface JobsOptions extends QueueOptions {
  readonly failed?: boolean
  readonly retryFailed?: boolean
  readonly clean?: boolean
  readonly dashboard?: boolean
  readonly port: number
  readonly json?: boolean
}

/** Reasons are shown of at most this many failed jobs; as JSON, of all. */
const mostShown = 50

export function addJobs(command: Command): void {
  withQueue(command, 'the queue to look at')
    .option('--failed', 'list the shards that failed for good, each with its reason')
    .option('--retry-failed', 'put the shards that failed back into the queue, and no others')
    .option('--clean', 'remove finished jobs from the queue; what they wrote stays')
    .option('--dashboard', 'serve a page about the queue on this machine (packages @bull-board/*)')
    .option(
      '--port <n>',
      'port of the dashboard; 0 takes any free one',
      number({ integer: true, min: 0, max: 65_535 }),
      3000,
    )
    .option('--json', 'print one JSON event a line, the result last')
  command.addHelpText(
    'after',
    `
Finished jobs are removed after a day, or when there are 1,000 of them; failed ones after a week.

Examples:
  npx graft-webgpu jobs --queue redis://host
  npx graft-webgpu jobs --queue redis://host --failed
  npx graft-webgpu jobs --queue redis://host --retry-failed
  npx graft-webgpu jobs --queue postgres://graft@host/graft --dashboard --port 8080`,
  )
  command.action(run)
}

async function run(options: JobsOptions): Promise<void> {
  const { queue: url, failed, retryFailed, clean, dashboard } = options
  if (!url) throw new UsageError('jobs needs --queue URL (or GRAFT_QUEUE in the environment)')
  if ([failed, retryFailed, clean, dashboard].filter(Boolean).length > 1)
    throw new UsageError(
      '--failed, --retry-failed, --clean and --dashboard do different things: give one of them',
    )
  const output = new Output(options.json)
  const admin = await QueueAdmin.open({ url, telemetry: options.telemetry })
  try {
    if (failed) await showFailed(admin, output)
    else if (retryFailed) {
      const count = await admin.retryFailed()
      output.labeled('tried again', counted(count, 'shard'))
      output.event({ type: 'result', retried: count })
    } else if (clean) {
      const count = await admin.clean()
      output.labeled('removed', counted(count, 'finished job'))
      output.event({ type: 'result', removed: count })
    } else if (dashboard) await serve(admin, options.port, output)
    else await show(admin, output)
  } finally {
    await admin.close()
  }
}

async function show(admin: QueueAdmin, output: Output): Promise<void> {
  const state = await admin.state()
  output.event({ type: 'result', ...state })
  output.labeled('queue', state.queue)
  const rows = (['waiting', 'active', 'delayed', 'done', 'failed'] as const).map((name) => [
    name,
    thousands(state[name]),
  ])
  output.lines(table([['shards', ''], ...rows], { right: [1] }))
  output.labeled('workers', state.workers.join(', ') || 'none is alive')
  if (state.failed > 0) output.command('next', nextCommand('jobs', '--failed'))
}

async function showFailed(admin: QueueAdmin, output: Output): Promise<void> {
  let count = 0
  for await (const job of admin.failed()) {
    output.event({ type: 'failed', ...job })
    if (++count > mostShown) continue
    const images = job.images === null ? '' : `, ${counted(job.images, 'image')}`
    output.line(`${job.id}  ${job.kind}${images}, ${counted(job.tries, 'try', 'tries')}`)
    output.labeled('', job.reason)
  }
  if (count > mostShown) output.line(`… and ${thousands(count - mostShown)} more`)
  output.labeled('failed', counted(count, 'shard'))
  output.event({ type: 'result', failed: count })
  if (count > 0) output.command('next', nextCommand('jobs', '--retry-failed'))
}

async function serve(admin: QueueAdmin, port: number, output: Output): Promise<void> {
  const { url, close } = await openDashboard(admin.queue, port)
  output.event({ type: 'result', url })
  output.labeled('dashboard', `${url} (Ctrl-C ends it)`)
  await untilStopped()
  await close()
}
