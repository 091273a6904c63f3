import { at } from './at.ts'
import { NonFiniteError } from './errors.ts'

/** One named array as it lies in a weights file: row-major, widened to float32. */
export interface NamedArray {
  readonly shape: readonly number[]
  readonly data: Float32Array
  /**
   * The file's own type, for example 'F32' or 'BF16'; absent for arrays that were never in a file.
   */
  readonly dtype?: string
}

/**
 * Parameter names (torchvision's) to arrays: what `stateDict()` gives, `loadStateDict()` takes and
 * the readers return as `tensors`.
 */
export type StateDict = Record<string, NamedArray>

/** Where in a file the weights are, for a caller who knows better than Graft finds. */
export interface LoadOptions {
  /**
   * The path to the state_dict in a PyTorch checkpoint: 'ema.state_dict'; '' is the whole object.
   * Default: the one dictionary that holds an AlexNet's tensors.
   */
  readonly weightsKey?: string
  /**
   * What stands before the parameters' names: 'model.'; '' is nothing. Default: what stands before
   * features.0.weight.
   */
  readonly weightsPrefix?: string
}

/** Values that were read from the GPU, by the names of what they belong to, in the same order. */
export function namedArrays(
  owners: readonly { readonly name: string; readonly shape: readonly number[] }[],
  values: readonly Float32Array[],
): StateDict {
  return Object.fromEntries(
    owners.map(({ name, shape }, i) => [name, { shape: [...shape], data: at(values, i) }]),
  )
}

/**
 * Refuses arrays that no network can compute with.
 * @param where the file or network that they are of, for the message
 * @throws NonFiniteError that names the first array with NaN or an infinity
 * @example requireFinite(tensors, 'runs/dogs/weights.safetensors')
 */
export function requireFinite(tensors: StateDict, where: string): void {
  for (const [name, { data }] of Object.entries(tensors)) {
    const index = data.findIndex((value) => !Number.isFinite(value))
    if (index >= 0)
      throw new NonFiniteError(
        name,
        `${where}: the parameter ${name} is not finite, ` +
          `with ${at(data, index)} at index ${index}; ` +
          'restore the file, or train again with a lower learning rate',
      )
  }
}
