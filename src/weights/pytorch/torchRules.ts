/**
 * What the names and calls in a checkpoint's pickle stand for: tensors, parameters and storages
 * here, plain values in pythonRules.ts and numpyRules.ts, and a `PickleObject` for whatever else.
 * Nothing is ever called. Source: PyTorch,
 * torch/_utils.py (the `_rebuild` functions), torch/_tensor.py (`__setstate__`) and
 * torch/serialization.py (`persistent_id`).
 */
import { WeightsError } from '../../base/errors.ts'
import { isCount, quote } from '../arrays.ts'
import { type DtypeName, itemSize } from '../dtype.ts'
import { NumpyArray, NumpyDtype, numpyFunctions } from './numpyRules.ts'
import type { PickleRules } from './pickleMachine.ts'
import { PickleDict, PickleObject } from './pickleValues.ts'
import { pythonFunctions, type Rebuild, renamedModules } from './pythonRules.ts'
import { isCounts, LateTensor, TorchStorage, TorchTensor } from './torchTensor.ts'

/** A class or function whose calls stand for values. */
class KnownFunction {
  readonly name: string
  readonly rebuild: Rebuild

  constructor(name: string, rebuild: Rebuild) {
    this.name = name
    this.rebuild = rebuild
  }
}

/** The type of a storage's numbers. */
class StorageType {
  readonly name: string
  readonly itemBytes: number
  /** Null for a type that is not read. */
  readonly dtype: DtypeName | null

  constructor(name: string, dtype: DtypeName | null, itemBytes: number) {
    this.name = name
    this.dtype = dtype
    this.itemBytes = itemBytes
  }
}

const dtypes = {
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
} as const

/** Bytes of one number of the types that are not read. */
const otherTypes = {
  ComplexDoubleStorage: 16,
  ComplexFloatStorage: 8,
  QInt32Storage: 4,
  QInt8Storage: 1,
  QUInt8Storage: 1,
  QUInt4x2Storage: 1,
  QUInt2x4Storage: 1,
}

/** Plain bytes, of which a tensor says itself what they are. */
const untyped = 'torch.storage.UntypedStorage'

const storageTypes: readonly StorageType[] = [
  ...Object.entries(dtypes).map(
    ([name, dtype]) => new StorageType(`torch.${name}`, dtype, itemSize(dtype)),
  ),
  ...Object.entries(otherTypes).map(
    ([name, itemBytes]) => new StorageType(`torch.${name}`, null, itemBytes),
  ),
  new StorageType(untyped, 'U8', 1),
]

/** The types that a tensor on plain bytes can have, of those that are read. */
const torchDtypes: Readonly<Record<string, DtypeName>> = {
  'torch.float64': 'F64',
  'torch.float32': 'F32',
  'torch.float16': 'F16',
  'torch.bfloat16': 'BF16',
  'torch.int64': 'I64',
  'torch.int32': 'I32',
  'torch.int16': 'I16',
  'torch.int8': 'I8',
  'torch.uint8': 'U8',
  'torch.bool': 'BOOL',
  'torch.uint16': 'U16',
  'torch.uint32': 'U32',
  'torch.uint64': 'U64',
}

const emptyTensor = (name: string): Rebuild => {
  return ([data]) => {
    const late = new LateTensor(name)
    late.tensor = data instanceof TorchTensor ? data : null
    return late
  }
}

const tensorFunctions: Readonly<Record<string, Rebuild>> = {
  'torch._utils._rebuild_tensor_v2': rebuildTensor,
  'torch._utils._rebuild_tensor': rebuildTensor,
  'torch._utils._rebuild_tensor_v3': ([storage, offset, shape, strides, , , dtype, views]) =>
    rebuildTensor([asType(storage, dtype), offset, shape, strides, null, null, views]),
  'torch._utils._rebuild_parameter': ([data]) => data,
  'torch._utils._rebuild_parameter_with_state': ([data]) => data,
  'torch._utils._rebuild_device_tensor_from_numpy': ([data]) => data,
  'torch._utils._rebuild_device_tensor_from_cpu_tensor': ([data]) => data,
  // A tensor with attributes; one of a class that is not PyTorch's own may mean something else.
  'torch._tensor._rebuild_from_type_v2': ([rebuild, type, args]) => {
    const plain = type instanceof KnownFunction && type.rebuild === tensorFunctions[type.name]
    if (!(rebuild instanceof KnownFunction) || !Array.isArray(args)) return undefined
    if (plain) return rebuild.rebuild(args)
    return type instanceof PickleObject ? new PickleObject(type.type) : undefined
  },
  'torch.nn.parameter.Parameter': emptyTensor('torch.nn.parameter.Parameter'),
  'torch.Tensor': emptyTensor('torch.Tensor'),
}

/** What the allowed names stand for. */
const globals: ReadonlyMap<string, KnownFunction | StorageType> = new Map<
  string,
  KnownFunction | StorageType
>([
  ...storageTypes.map((type) => [type.name, type] as const),
  ...Object.entries({ ...pythonFunctions, ...numpyFunctions, ...tensorFunctions }).map(
    ([name, rebuild]) => [name, new KnownFunction(name, rebuild)] as const,
  ),
])

/** PyTorch's types of numbers, and its ways of quantizing, which are values by themselves. */
const plainNames =
  /^torch\.(bool|b?float\d\w*|bfloat16|complex\d+|q?u?int\d\w*|bits\d\w*|per_(tensor|channel)_\w+)$/

/** What the file holds under a key: `length` numbers of a type. */
interface StoredNumbers {
  readonly type: StorageType
  readonly length: number
}

/** Bytes that the numbers take in the file. */
export function storedBytes({ type, length }: StoredNumbers): number {
  return length * type.itemBytes
}

/** The rules by which `readPickle` reads a checkpoint; they collect the storages that it names. */
export class TorchRules implements PickleRules {
  readonly storages = new Map<string, StoredNumbers>()

  global(module: string, name: string): unknown {
    const place = Object.hasOwn(renamedModules, module) ? renamedModules[module] : module
    const full = `${place}.${name}`
    return globals.get(full) ?? (plainNames.test(full) ? full : new PickleObject(full))
  }

  call(callee: unknown, args: readonly unknown[]): unknown {
    if (callee instanceof PickleObject) return new PickleObject(callee.type, [...args])
    if (callee instanceof KnownFunction) {
      const value = callee.rebuild(args)
      return value === undefined ? new PickleObject(callee.name, [...args]) : value
    }
    throw new WeightsError('the pickle is damaged: it calls what cannot be called')
  }

  build(target: unknown, state: unknown): void {
    if (target instanceof PickleDict && state instanceof PickleDict) target.attributes = state
    else if (target instanceof NumpyArray && Array.isArray(state)) target.fill(state)
    else if (target instanceof NumpyDtype && Array.isArray(state)) target.order = state[1]
    else if (target instanceof LateTensor && Array.isArray(state)) {
      const tensor = state[0] instanceof TorchStorage ? rebuildTensor(state) : state[0]
      if (tensor instanceof TorchTensor) target.tensor = tensor
    } else if (target instanceof PickleObject) target.parts.push(state)
    else
      throw new WeightsError(
        'the pickle sets attributes of a value that has none: damaged, or not a checkpoint',
      )
  }

  persistent(id: unknown): unknown {
    const [kind, type, name, , length, window] = Array.isArray(id) ? (id as readonly unknown[]) : []
    // The class of a module, which older files hold together with its source.
    if (kind === 'module') return type
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
    if (known && (known.type !== type || known.length !== length))
      throw new WeightsError(
        `storage ${quote(key)} is announced with two types or lengths: damaged`,
      )
    this.storages.set(key, { type, length })
    if (!type.dtype) return new PickleObject(type.name)
    if (!Array.isArray(window)) return new TorchStorage(key, type.dtype, length, 0)
    const [, start, size] = window as readonly unknown[]
    if (!isCount(start) || !isCount(size) || start + size > length)
      throw new WeightsError(`storage ${quote(key)} has a window that does not lie in it: damaged`)
    return new TorchStorage(key, type.dtype, length, start)
  }
}

/** Plain bytes as numbers of a type. */
function asType(storage: unknown, dtype: unknown): unknown {
  if (!(storage instanceof TorchStorage) || typeof dtype !== 'string') return storage
  const name = Object.hasOwn(torchDtypes, dtype) ? torchDtypes[dtype] : undefined
  if (!name) return new PickleObject(dtype)
  return new TorchStorage(storage.key, name, Math.floor(storage.byteLength / itemSize(name)), 0)
}

function rebuildTensor(args: readonly unknown[]): unknown {
  const [storage, offset, shape, strides, , , views] = args
  if (storage instanceof PickleObject) return new PickleObject(storage.type)
  // A negated or conjugated view: its numbers are not those of its storage.
  if (views instanceof PickleDict && [...views.entries.values()].includes(true)) return undefined
  if (!(storage instanceof TorchStorage))
    throw new WeightsError('the pickle is damaged: a tensor has no storage')
  if (!isCount(offset) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length)
    throw new WeightsError(
      `the pickle is damaged: a tensor in storage ${quote(storage.key)} ` +
        'has no valid offset, shape or strides',
    )
  return new TorchTensor(storage, offset, shape, strides)
}
