/**
 * What a checkpoint's pickle may name: the dictionary of a state_dict, tensors, parameters and
 * storages. Nothing else is known here, so nothing else can be called. Source: PyTorch,
 * torch/_utils.py (the `_rebuild` functions), torch/_tensor.py (`__setstate__`) and
 * torch/serialization.py (`persistent_id`).
 */
import { WeightsError } from '../../base/errors.ts'
import { isCount, quote } from '../arrays.ts'
import type { DtypeName } from '../dtype.ts'
import { PickleDict, type PickleRules } from './pickleMachine.ts'

/** Numbers that the file holds under a key, as the pickle describes them. */
export class TorchStorage {
  readonly key: string
  readonly dtype: DtypeName
  /** How many numbers the key has. */
  readonly length: number
  /** The index of its first number, in old files where a storage can be a window of another. */
  readonly start: number

  constructor(key: string, dtype: DtypeName, length: number, start: number) {
    this.key = key
    this.dtype = dtype
    this.length = length
    this.start = start
  }
}

/** A tensor: a view of a storage, not read yet. Offset and strides count elements. */
export class TorchTensor {
  readonly storage: TorchStorage
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]

  constructor(
    storage: TorchStorage,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    this.storage = storage
    this.offset = offset
    this.shape = shape
    this.strides = strides
  }
}

/** A parameter as PyTorch pickled it before 0.4: made empty, then given its tensor as its state. */
class OldParameter {
  data: TorchTensor | null = null
}

class StorageType {
  readonly dtype: DtypeName

  constructor(dtype: DtypeName) {
    this.dtype = dtype
  }
}

type Rebuild = (args: readonly unknown[]) => unknown

const storageTypes: Readonly<Record<string, DtypeName>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
}

const parameterClass: Rebuild = (args) => {
  const parameter = new OldParameter()
  if (args[0] instanceof TorchTensor) parameter.data = args[0]
  return parameter
}

/** The allowed names and their values. */
const globals: ReadonlyMap<string, Rebuild | StorageType> = new Map<string, Rebuild | StorageType>([
  ['collections.OrderedDict', orderedDict],
  ['torch._utils._rebuild_tensor_v2', rebuildTensor],
  ['torch._utils._rebuild_tensor', rebuildTensor],
  ['torch._utils._rebuild_parameter', ([data]) => data],
  ['torch.nn.parameter.Parameter', parameterClass],
  ...Object.entries(storageTypes).map(
    ([name, dtype]) => [`torch.${name}`, new StorageType(dtype)] as const,
  ),
])

/** The rules by which `readPickle` reads a checkpoint; they collect the storages that it names. */
export class TorchRules implements PickleRules {
  readonly storages = new Map<string, TorchStorage>()

  global(module: string, name: string): Rebuild | StorageType {
    const known = globals.get(`${module}.${name}`)
    if (known) return known
    const full = quote(`${module}.${name}`)
    if (module === 'torch' && name.endsWith('Storage'))
      throw new WeightsError(
        `the checkpoint has numbers of type ${full}, which is not read: ` +
          'convert them with .float() and save it again',
      )
    throw new WeightsError(
      `the checkpoint names ${full}, which is refused: only tensors and plain values are read ` +
        'and nothing is executed; save model.state_dict() alone',
    )
  }

  call(callee: unknown, args: readonly unknown[]): unknown {
    if (typeof callee !== 'function')
      throw new WeightsError('the pickle is damaged: it calls what cannot be called')
    return (callee as Rebuild)(args)
  }

  build(target: unknown, state: unknown): void {
    if (target instanceof PickleDict && state instanceof PickleDict) target.attributes = state
    else if (target instanceof OldParameter && Array.isArray(state))
      target.data = state[0] instanceof TorchTensor ? state[0] : target.data
    else
      throw new WeightsError(
        'the pickle sets attributes of a value that has none: damaged, or not a checkpoint',
      )
  }

  persistent(id: unknown): TorchStorage {
    const [kind, type, name, , length, window] = Array.isArray(id) ? (id as readonly unknown[]) : []
    if (kind === 'module')
      throw new WeightsError(
        'the checkpoint holds a whole module with its source; save model.state_dict() alone',
      )
    if (
      kind !== 'storage' ||
      !(type instanceof StorageType) ||
      (typeof name !== 'string' && typeof name !== 'number') ||
      !isCount(length)
    )
      throw new WeightsError(
        'the pickle refers to something that is not a storage: damaged, or not a checkpoint',
      )
    const key = String(name)
    const known = this.storages.get(key)
    if (known && (known.dtype !== type.dtype || known.length !== length))
      throw new WeightsError(
        `storage ${quote(key)} is announced with two types or lengths: damaged`,
      )
    const whole = new TorchStorage(key, type.dtype, length, 0)
    this.storages.set(key, whole)
    if (!Array.isArray(window)) return whole
    const [, start, size] = window as readonly unknown[]
    if (!isCount(start) || !isCount(size) || start + size > length)
      throw new WeightsError(`storage ${quote(key)} has a window that does not lie in it: damaged`)
    return new TorchStorage(key, type.dtype, length, start)
  }
}

/** A dictionary's value as a tensor, or null if it is none. */
export function tensorOf(value: unknown): TorchTensor | null {
  if (value instanceof TorchTensor) return value
  return value instanceof OldParameter ? value.data : null
}

function orderedDict([items]: readonly unknown[]): PickleDict {
  const dict = new PickleDict()
  if (items === undefined) return dict
  if (!Array.isArray(items))
    throw new WeightsError('the pickle is damaged: an OrderedDict is not made from a list')
  for (const pair of items) {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw new WeightsError('the pickle is damaged: an item of an OrderedDict is not a pair')
    dict.set(pair[0], pair[1])
  }
  return dict
}

function rebuildTensor([storage, offset, shape, strides]: readonly unknown[]): TorchTensor {
  if (!(storage instanceof TorchStorage))
    throw new WeightsError('the pickle is damaged: a tensor has no storage')
  if (!isCount(offset) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length)
    throw new WeightsError(
      `the pickle is damaged: a tensor in storage ${quote(storage.key)} ` +
        'has no valid offset, shape or strides',
    )
  return new TorchTensor(storage, offset, shape, strides)
}

/** More dimensions than PyTorch's own limit of 64 are no tensor. */
function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 64 && value.every(isCount)
}
