/**
 * The values that a pickle makes beside null, booleans, numbers, bigints, texts, arrays (Python's
 * lists, tuples and sets) and Uint8Arrays (bytes).
 */

/** A Python dict, OrderedDict, Counter or defaultdict: entries in order. */
export class PickleDict {
  /** The attributes of an OrderedDict. */
  attributes: PickleDict | null = null
  // Created when needed: a pickle makes an empty dictionary with one byte, and an empty Map takes
  // two hundred.
  #entries: Map<unknown, unknown> | null = null

  get entries(): ReadonlyMap<unknown, unknown> {
    return this.#entries ?? none
  }

  set(key: unknown, value: unknown): void {
    this.#entries ??= new Map()
    this.#entries.set(key, value)
  }
}

const none: ReadonlyMap<unknown, unknown> = new Map()

/**
 * A Python object, class or function that is not read: the pickle names it, and nothing of it is
 * called. Beside the weights it does not matter; among the tensors it is an error, for which
 * `explain` has the words.
 */
export class PickleObject {
  /** The full Python name of its class or function, for example 'argparse.Namespace'. */
  readonly type: string
  /** What the pickle gives it: arguments, attributes and items, in order. It may hold itself. */
  readonly parts: unknown[]

  constructor(type: string, parts: unknown[] = []) {
    this.type = type
    this.parts = parts
  }

  /** Whether it is a module of PyTorch with its layers, as `torch.save(model)` writes it. */
  get isModule(): boolean {
    return this.parts.some(
      (part) =>
        part instanceof PickleDict &&
        part.entries.has('_modules') &&
        part.entries.has('_parameters'),
    )
  }
}

/** The lines of Python that save what is wanted. */
const saveState = "torch.save(model.state_dict(), 'weights.pth')"
const saveDequantized =
  "torch.save({f'{n}.{k}': v for n, m in model.named_modules() " +
  "if callable(getattr(m, 'weight', None)) " +
  "for k, v in (('weight', m.weight().dequantize()), ('bias', m.bias()))}, 'weights.pth')"

const quantized = /_rebuild_qtensor|\.Q\w+Storage$|\bquantized\b/

/** Tensors that are not read, by the names that stand for them in a pickle. */
const tensorKinds: readonly (readonly [names: RegExp, what: string, advice: string])[] = [
  [quantized, 'a quantized tensor', `save the weights dequantized: ${saveDequantized}`],
  [/_rebuild_sparse/, 'a sparse tensor', 'convert it with .to_dense() and save it again'],
  [/_rebuild_tensor_v\d/, 'a negated view', 'save its .clone()'],
  [/_rebuild_nested/, 'a nested tensor', 'convert it with .to_padded_tensor(0) and save it again'],
  [/_rebuild_meta/, 'a tensor without values', 'load its values and save it again'],
  [
    /Storage$|^torch\.[a-z]+\d/,
    'a tensor with numbers of another type',
    'convert it with .float() and save it again',
  ],
]

/**
 * What an object is and what to do about it, to follow "it is " in an error: 'a sparse tensor
 * (torch._utils._rebuild_sparse_tensor), which is not read: convert it with .to_dense() …'.
 */
export function explain(object: PickleObject): string {
  const { type } = object
  if (object.isModule) {
    const [kind, line] = isQuantized(object)
      ? ['a whole quantized module', saveDequantized]
      : ['a whole module', saveState]
    return `${kind} (${type}), which only its program can load: save its tensors there: ${line}`
  }
  const [, what, advice] = tensorKinds.find(([names]) => names.test(type)) ?? []
  return what
    ? `${what} (${type}), which is not read: ${advice}`
    : `an object of ${type}, which is not read, and nothing is executed: ` +
        `save the tensors alone: ${saveState}`
}

/** Whether an object of quantization is anywhere in a module. */
function isQuantized(module: PickleObject): boolean {
  const seen = new Set<unknown>()
  const open: unknown[] = [module]
  while (open.length > 0) {
    const value = open.pop()
    if (typeof value !== 'object' || value === null || seen.has(value)) continue
    seen.add(value)
    if (value instanceof PickleObject && quantized.test(value.type)) return true
    const items: Iterable<unknown> =
      value instanceof PickleObject
        ? value.parts
        : value instanceof PickleDict
          ? value.entries.values()
          : Array.isArray(value)
            ? value
            : []
    for (const item of items) open.push(item)
  }
  return false
}
