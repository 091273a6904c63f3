import type { ImageDataset } from '../data/dataset.ts'
import type { FieldProblems } from './fieldProblems.ts'
import type { Planning } from './hooks.ts'
import type { Settings } from './settings.ts'

/** Why training cannot begin: one sentence each, the first thing to do first. */
export function startProblems({
  open,
  data,
  fields,
  settings,
  planning,
}: {
  /** Whether the GPU is open. */
  readonly open: boolean
  readonly data: ImageDataset | string
  readonly fields: FieldProblems
  readonly settings: Settings
  readonly planning: Pick<Planning, 'prepared' | 'problem'>
}): string[] {
  const inFields = [...fields.values()].map(({ label, message }) => `“${label}”: ${message}`)
  if (!open) return ['The GPU is still being opened.']
  if (typeof data === 'string') return [data, ...inFields]
  if (settings.start === 'file' && !settings.file)
    return ['Choose the file of weights to start from, in the settings.', ...inFields]
  if (inFields.length > 0) return inFields
  if (planning.problem !== null) return [planning.problem]
  const memory = planning.prepared?.memory
  if (!memory?.problem) return []
  const remedy = memory.largestBatchSize
    ? `take ${memory.largestBatchSize}.`
    : 'not even one image fits; freeze layers, or start from a smaller network.'
  return [`Training with so many images at a time ${memory.problem}: ${remedy}`]
}
