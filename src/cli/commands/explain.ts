import type { Command } from 'commander'
import { readRunConfig } from '../../train/runFolder.ts'
import { describePlan } from '../describe.ts'
import { describeChoice } from '../describeChoice.ts'
import { Output } from '../output.ts'
import { nextCommand } from '../shell.ts'

export function addExplain(command: Command): void {
  command
    .argument('<run>', 'a run folder, which train has written')
    .option('--json', 'print JSON events, the result last')
    .addHelpText(
      'after',
      `
Examples:
  npx graft-webgpu train photos && npx graft-webgpu explain runs/photos
  npx graft-webgpu explain runs/photos --json | tail -1`,
    )
    .action(run)
}

async function run(folder: string, { json }: { readonly json?: boolean }): Promise<void> {
  const output = new Output(json)
  const { choice, plan, options } = await readRunConfig(folder)
  if (choice) describeChoice(output, choice)
  else output.labeled('chosen', `by hand, with --scenario ${plan.scenario}: nothing was measured`)
  describePlan(output, plan, { why: !choice })
  output.event({
    type: 'result',
    run: folder,
    scenario: plan.scenario,
    chosen: choice ? 'auto' : 'by hand',
    choice: choice ?? null,
    plan,
    options,
  })
  output.command('next', nextCommand('report', folder))
}
