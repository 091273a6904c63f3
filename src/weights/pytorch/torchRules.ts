/**
 * What a checkpoint's pickle may name: the dictionary that state_dicts are, tensors, parameters and
 * storages. Nothing else is known here, so nothing else can be called. Source: PyTorch,
 * torch/_utils.py (the `_rebuild` functions), torch/_tensor.py (`__setstate__`) and
 * torch/serialization.py (`persistent_id`).
 */
import { WeightsError } from '../../base/errors.ts'
import { quote } from '../arrays.ts'
import type { DtypeName } from '../dtype.ts'
import { PickleDict, type PickleRules } from './pickleMachine.ts'

/** Numbers that lie in the file under a key, as the pickle announces them. */
export interface TorchStorage {
  readonly key: string
  readonly dtype: DtypeName
  /** How many numbers the key has. */
  readonly length: number
  /** Where this storage begins among them, in old files whose storages are windows of others. */
  readonly start: number
}

/** A tensor: a window of a storage, not read yet. Offset and strides count elements. */
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

class Storage implements TorchStorage {
  readonly key: string
  readonly dtype: DtypeName
  readonly length: number
  readonly start: number

  constructor(key: string, dtype: DtypeName, length: number, start: number) {
    this.key = key
    this.dtype = dtype
    this.length = length
    this.start = start
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

/** The names that are allowed, and what stands for each. */
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

/** The rules by which `readPickle` reads a checkpoint; they note the storages that it names. */
export class TorchRules implements PickleRules {
  readonly storages = new Map<string, TorchStorage>()

  global(module: string, name: string): Rebuild | StorageType {
    const known = globals.get(`${module}.${name}`)
    if (known) return known
    const full = quote(`${module}.${name}`)
    if (module === 'torch' && name.endsWith('Storage'))
      throw new WeightsError(
        `the checkpoint has numbers of type ${full}, which is not read: convert them with .float() and save it again`,
      )
    throw new WeightsError(
      `the checkpoint names ${full}, which is refused: only tensors and plain values are read and nothing is executed; save model.state_dict() alone`,
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
        'the pickle sets attributes of what has none: damaged, or not a checkpoint',
      )
  }

  persistent(id: unknown): Storage {
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
        'the pickle points to something outside that is no storage: damaged, or not a checkpoint',
      )
    const key = String(name)
    const known = this.storages.get(key)
    if (known && (known.dtype !== type.dtype || known.length !== length))
      throw new WeightsError(
        `storage ${quote(key)} is announced with two types or lengths: damaged`,
      )
    const whole = new Storage(key, type.dtype, length, 0)
    this.storages.set(key, whole)
    if (!Array.isArray(window)) return whole
    const [, start, size] = window as readonly unknown[]
    if (!isCount(start) || !isCount(size) || start + size > length)
      throw new WeightsError(`storage ${quote(key)} has a window that does not lie in it: damaged`)
    return new Storage(key, type.dtype, length, start)
  }
}

/** The tensor that a value of a dictionary is, or null. */
export function tensorOf(value: unknown): TorchTensor | null {
  if (value instanceof TorchTensor) return value
  return value instanceof OldParameter ? value.data : null
}

function orderedDict([items]: readonly unknown[]): PickleDict {
  const dict = new PickleDict()
  if (items === undefined) return dict
  if (!Array.isArray(items))
    throw new WeightsError('the pickle is damaged: an OrderedDict is made of what is no list')
  for (const pair of items) {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw new WeightsError('the pickle is damaged: an OrderedDict has what is no pair')
    dict.set(pair[0], pair[1])
  }
  return dict
}

function rebuildTensor([storage, offset, shape, strides]: readonly unknown[]): TorchTensor {
  if (!(storage instanceof Storage))
    throw new WeightsError('the pickle is damaged: a tensor lies in what is no storage')
  if (!isCount(offset) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length)
    throw new WeightsError(
      `the pickle is damaged: a tensor in storage ${quote(storage.key)} has no valid offset, shape or strides`,
    )
  return new TorchTensor(storage, offset, shape, strides)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

/** More dimensions than PyTorch's own limit of 64 are no tensor. */
function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 64 && value.every(isCount)
}
