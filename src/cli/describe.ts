import { relative } from 'node:path'
import type { ImageDataset } from '../data/dataset.ts'
import type { Engine } from '../tensor/engine.ts'
import type { Plan } from '../transfer/scenario.ts'
import type { Output } from './output.ts'

const thousands = (n: number) => n.toLocaleString('en-US')

/** Says which adapter computes. */
export function describeEngine(output: Output, engine: Engine): void {
  output.event({ type: 'adapter', kind: engine.info.kind, adapter: engine.info.adapter })
  output.line(`adapter    ${engine.info.adapter} (${engine.info.kind})`)
}

/** Says what there is to learn from. */
export function describeData(output: Output, data: ImageDataset): void {
  output.event({ type: 'data', root: data.root, classes: data.classes, train: data.train.length, val: data.val.length })
  const names = data.classes.length > 8 ? `${data.classes.slice(0, 8).join(', ')}, …` : data.classes.join(', ')
  output.line(
    `data       ${shortPath(data.root)}: ${thousands(data.train.length)} pictures to train on, ${thousands(data.val.length)} to validate, ${data.classes.length} classes (${names})`,
  )
}

/** A path as one would type it here. */
function shortPath(path: string): string {
  const here = relative(process.cwd(), path)
  return here && here.length < path.length ? here : path
}

/** Says what a scenario did to the network, and why. */
export function describePlan(output: Output, plan: Plan): void {
  output.event({ type: 'plan', ...plan })
  output.line(`scenario   ${plan.scenario}, starting from ${plan.startsFrom} weights`)
  const lines: [string, string][] = [
    ['removed', span(plan.removed)],
    ['new', plan.added.map(({ name, description }) => `${name} (${description})`).join(', ')],
    ['frozen', plan.frozen.length ? `${layersOf(plan.frozen)}: ${thousands(plan.frozenValues)} parameters` : 'nothing'],
    ['trained', `${layersOf(plan.trained)}: ${thousands(plan.trainedValues)} parameters`],
  ]
  for (const [name, text] of lines) output.line(`  ${name.padEnd(8)} ${text}`)
  for (const reason of plan.reasons) output.line(`  ${reason}`)
}

/** A few names, or the first and the last of many. */
function span(names: readonly string[]): string {
  return names.length > 4 ? `${names[0]} to ${names.at(-1)}, ${names.length} layers` : names.join(', ')
}

/** The layers that parameters belong to, each once. */
function layersOf(parameters: readonly string[]): string {
  return [...new Set(parameters.map((name) => name.slice(0, name.lastIndexOf('.'))))].join(', ')
}
