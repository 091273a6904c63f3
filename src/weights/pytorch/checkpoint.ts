import { WeightsError } from '../../base/errors.ts'
import { quote } from '../arrays.ts'
import { PickleDict } from './pickleMachine.ts'
import { type TorchTensor, tensorOf } from './torchRules.ts'

/** What a checkpoint's pickle says, its tensors not read yet. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, TorchTensor>
  readonly metadata: Record<string, string>
}

/**
 * Where training scripts put the state_dict among the rest: Lightning and most others, PyTorch's
 * own tutorial, timm and others.
 */
const nests = ['state_dict', 'model_state_dict', 'model']

/**
 * Metadata that are JSON where Graft wrote them: under these names a foreign checkpoint's number or
 * word means something else.
 */
const structured = ['classes', 'preprocess']

/**
 * What wrappers put before every name: DataParallel and DistributedDataParallel, torch.compile,
 * Lightning.
 */
const wrappers = ['module.', '_orig_mod.', 'model.']

/**
 * Finds the state_dict in what was saved, which may be the state_dict itself or a dictionary with
 * it. Texts and numbers that lie beside it, and lists of texts as JSON, become metadata.
 *
 * @throws WeightsError where there is none
 */
export function findStateDict(saved: unknown): Checkpoint {
  if (!(saved instanceof PickleDict)) {
    const what = tensorOf(saved)
      ? 'a single tensor'
      : Array.isArray(saved)
        ? 'a list'
        : 'no dictionary'
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
        'a tensor of the checkpoint has a name that is no text; save model.state_dict()',
      )
    tensors.push([name, tensor])
  }
  if (tensors.length === 0) {
    const keys = Array.from(dict.entries.keys()).filter((key) => typeof key === 'string')
    const shown =
      keys.slice(0, 6).map(quote).join(', ') +
      (keys.length > 6 ? ` and ${keys.length - 6} more` : '')
    throw new WeightsError(
      `the checkpoint has no tensors${keys.length ? `, only ${shown}` : ': it is empty'}; save model.state_dict()`,
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
 * The names without what wraps all of them, and without the `module.` that DataParallel around the
 * features alone gives, as PyTorch's ImageNet example has it for AlexNet.
 */
function withoutWrappers(
  tensors: readonly (readonly [string, TorchTensor])[],
): ReadonlyMap<string, TorchTensor> {
  let names = tensors.map(([name]) => name)
  for (;;) {
    const wrapper = wrappers.find((prefix) => names.every((name) => name.startsWith(prefix)))
    if (!wrapper) break
    names = names.map((name) => name.slice(wrapper.length))
  }
  names = names.map((name) => name.replace(/^features\.module\./, 'features.'))
  const seen = new Set<string>()
  const twice = names.find((name) => seen.has(name) || !seen.add(name))
  if (twice !== undefined)
    throw new WeightsError(
      `the checkpoint has ${quote(twice)} twice, with a wrapper's prefix and without`,
    )
  return new Map(tensors.map(([, tensor], i) => [names[i] ?? '', tensor]))
}
