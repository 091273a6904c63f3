import { WeightsError } from '../../base/errors.ts'
import { quote } from '../arrays.ts'
import { explain, PickleDict, PickleObject } from './pickleValues.ts'
import { objectsIn, type TorchTensor, tensorOf } from './torchTensor.ts'

/** The contents of a checkpoint's pickle; the tensors' numbers are not read yet. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, TorchTensor>
  readonly metadata: Record<string, string>
}

/** Keys of the state_dict in a training script's checkpoint: Lightning's, PyTorch's, timm's. */
const nests = ['state_dict', 'model_state_dict', 'model']

/** Metadata that Graft writes as JSON. Other values under these names mean something else. */
const structured = ['classes', 'preprocess']

/** Prefixes that wrappers add to every name: DataParallel, torch.compile, Lightning. */
const wrappers = ['module.', '_orig_mod.', 'model.']

/**
 * Finds the state_dict in the saved object, which is the state_dict itself or a dictionary with it.
 * Texts and numbers beside it, and lists of texts as JSON, become metadata.
 *
 * @throws WeightsError if there is none
 */
export function findStateDict(saved: unknown): Checkpoint {
  if (saved instanceof PickleObject && !tensorOf(saved))
    throw new WeightsError(`the checkpoint is ${explain(saved)}`)
  if (!(saved instanceof PickleDict)) {
    const what = tensorOf(saved)
      ? 'a single tensor'
      : Array.isArray(saved)
        ? 'a list'
        : 'not a dictionary'
    throw new WeightsError(
      `the checkpoint is ${what} instead of a state_dict; save model.state_dict()`,
    )
  }
  const metadata: [string, string][] = []
  let dict = saved
  for (let depth = 0; depth < nests.length; depth++) {
    metadata.push(
      ...textsOf(dict).filter(([name, text]) => !structured.includes(name) || text.startsWith('[')),
    )
    const nested = nests
      .map((key) => dict.entries.get(key))
      .find((value) => value instanceof PickleDict)
    if (!nested) break
    dict = nested
  }
  metadata.push(...textsOf(dict.attributes?.entries.get('metadata')))
  const tensors: [string, TorchTensor][] = []
  for (const [name, value] of dict.entries) {
    const tensor = tensorOf(value)
    if (!tensor) continue
    if (typeof name !== 'string')
      throw new WeightsError(
        'a tensor of the checkpoint has a name that is not text; save model.state_dict()',
      )
    tensors.push([name, tensor])
  }
  for (const [path, object] of objectsIn(dict))
    throw new WeightsError(`${quote(path)} in the state_dict is ${explain(object)}`)
  if (tensors.length === 0) {
    const keys = Array.from(dict.entries.keys()).filter((key) => typeof key === 'string')
    const shown =
      keys.slice(0, 6).map(quote).join(', ') +
      (keys.length > 6 ? ` and ${keys.length - 6} more` : '')
    throw new WeightsError(
      `the checkpoint has no tensors${keys.length ? `, only ${shown}` : ': it is empty'}; ` +
        'save model.state_dict()',
    )
  }
  return { tensors: withoutWrappers(tensors), metadata: Object.fromEntries(metadata) }
}

function textsOf(dict: unknown): [string, string][] {
  if (!(dict instanceof PickleDict)) return []
  return Array.from(dict.entries).flatMap(([key, value]): [string, string][] => {
    if (typeof key !== 'string') return []
    if (typeof value === 'string') return [[key, value]]
    if (typeof value === 'number' || typeof value === 'boolean') return [[key, String(value)]]
    const texts =
      Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string')
    return texts ? [[key, JSON.stringify(value)]] : []
  })
}

/**
 * The names without the prefixes that all of them have, and without the `module.` that DataParallel
 * adds when it wraps the features only, as in PyTorch's ImageNet example for AlexNet.
 */
function withoutWrappers(
  tensors: readonly (readonly [string, TorchTensor])[],
): ReadonlyMap<string, TorchTensor> {
  let start = 0
  for (;;) {
    const wrapper = wrappers.find((prefix) =>
      tensors.every(([name]) => name.startsWith(prefix, start)),
    )
    if (!wrapper) break
    start += wrapper.length
  }
  const unwrapped = new Map<string, TorchTensor>()
  for (const [wrapped, tensor] of tensors) {
    const name = wrapped.slice(start).replace(/^features\.module\./, 'features.')
    if (unwrapped.has(name))
      throw new WeightsError(
        `the checkpoint has ${quote(name)} twice, with a wrapper's prefix and without`,
      )
    unwrapped.set(name, tensor)
  }
  return unwrapped
}
