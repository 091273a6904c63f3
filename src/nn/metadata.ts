import { WeightsError } from '../base/errors.ts'
import type { Network } from './network.ts'
import type { Preprocess } from './preprocess.ts'

/** The description of a network in a weights file: texts by name, as in safetensors and ONNX. */
export function metadataOf(
  { architecture, preprocess, classNames }: Network,
  classes: readonly string[] | null = classNames,
): Record<string, string> {
  return {
    format: 'graft',
    architecture: architecture.variant,
    ...(classes ? { classes: JSON.stringify(classes) } : {}),
    preprocess: JSON.stringify(preprocess),
  }
}

/**
 * The class names in a file's metadata; null if there are none, or not one for each output.
 * @throws WeightsError if they are not a list of names
 */
export function classNamesIn(
  { classes }: Readonly<Record<string, string>>,
  outputs: number,
): readonly string[] | null {
  if (!classes) return null
  const names = parsed('classes', classes)
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string'))
    throw new WeightsError('the metadata’s classes are not a list of names; correct or remove them')
  return names.length === outputs ? names : null
}

/**
 * The preprocessing in a file's metadata; null if there is none.
 * @throws WeightsError if it is not valid
 */
export function preprocessIn({ preprocess }: Readonly<Record<string, string>>): Preprocess | null {
  if (!preprocess) return null
  const found = parsed('preprocess', preprocess) as Partial<
    Record<keyof Preprocess, unknown>
  > | null
  const { size, resize, mean, std, scale, order } = found ?? {}
  const whole = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) > 0
  if (
    !whole(size) ||
    !whole(resize) ||
    resize < size ||
    !isTriple(mean) ||
    !isTriple(std) ||
    std.includes(0) ||
    !isNumber(scale) ||
    (order !== 'rgb' && order !== 'bgr')
  )
    throw new WeightsError(
      'the metadata’s preprocess lacks a valid size, resize, mean, std, scale or order; ' +
        'correct or remove it',
    )
  return { size, resize, mean, std, scale, order }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isTriple(value: unknown): value is [number, number, number] {
  return Array.isArray(value) && value.length === 3 && value.every(isNumber)
}

function parsed(name: string, json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw new WeightsError(`the metadata’s ${name} is not valid JSON; correct or remove it`, {
      cause,
    })
  }
}
