import { WeightsError } from '../base/errors.ts'
import type { Network } from './network.ts'
import type { Preprocess } from './preprocess.ts'

/**
 * What a weights file says about its network beside the numbers: texts by name, as safetensors and
 * ONNX keep them.
 */
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
 * The class names of a file's metadata, or null where it has none, or as many as another network
 * would have.
 * @throws WeightsError where they are no list of names
 */
export function classNamesIn(
  { classes }: Readonly<Record<string, string>>,
  outputs: number,
): readonly string[] | null {
  if (!classes) return null
  const names = parsed('classes', classes)
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string'))
    throw new WeightsError('the metadata’s classes are no list of names; correct or remove them')
  return names.length === outputs ? names : null
}

/**
 * How an image becomes the network's input, by a file's metadata; null where it says nothing.
 * @throws WeightsError where it says nothing that makes sense
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
      'the metadata’s preprocess does not say size, resize, mean, std, scale and order; correct or remove it',
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
    throw new WeightsError(`the metadata’s ${name} are not JSON; correct or remove them`, { cause })
  }
}
