/**
 * NumPy's arrays and numbers in pickles. Source: NumPy, numpy/_core/src/multiarray/methods.c
 * (`array_reduce`, `array_setstate`), descriptor.c (`arraydescr_reduce`) and scalartypes.c.
 */
import { at } from '../../base/at.ts'
import { contiguousStrides, elementCount, isCount } from '../arrays.ts'
import { type DtypeName, itemSize, widen } from '../dtype.ts'
import { numpyDtypes } from '../npz.ts'
import { narrow } from './pickleReader.ts'
import { PickleObject } from './pickleValues.ts'
import type { Rebuild } from './pythonRules.ts'
import { InlineStorage, LateTensor, TorchTensor } from './torchTensor.ts'

/** A type of numbers: made by its code, such as 'f8', then told its order of bytes. */
export class NumpyDtype {
  readonly code: string
  order: unknown = '|'

  constructor(code: string) {
    this.code = code
  }

  get name(): DtypeName | undefined {
    const descr = `${this.order}${this.code}`
    return Object.hasOwn(numpyDtypes, descr) ? numpyDtypes[descr] : undefined
  }
}

/** An array that the pickle made empty. */
export class NumpyArray extends LateTensor {
  /** @param state version, shape, type, whether it is in Fortran's order, bytes */
  fill(state: readonly unknown[]): void {
    const [, shape, dtype, fortran, bytes] = state
    this.tensor = arrayOf(shape, dtype, fortran === true, bytes)
    if (!this.tensor) this.parts.push(...state)
  }
}

/** NumPy's functions by their full names, with the module names of NumPy 1. */
export const numpyFunctions: Readonly<Record<string, Rebuild>> = {
  'numpy.dtype': ([code]) => (typeof code === 'string' ? new NumpyDtype(code) : undefined),
  'numpy.core.multiarray._reconstruct': ([type]) => {
    if (!(type instanceof PickleObject)) return undefined
    return type.type === 'numpy.ndarray' ? new NumpyArray(type.type) : new PickleObject(type.type)
  },
  'numpy.core.numeric._frombuffer': ([bytes, dtype, shape, order]) =>
    arrayOf(shape, dtype, order === 'F', bytes) ?? undefined,
  'numpy.core.multiarray.scalar': ([dtype, bytes]) => {
    if (!(dtype instanceof NumpyDtype) || !(bytes instanceof Uint8Array)) return undefined
    const { name } = dtype
    if (!name || bytes.length !== itemSize(name)) return undefined
    return scalarOf(name, bytes)
  },
}

function arrayOf(
  shape: unknown,
  dtype: unknown,
  fortran: boolean,
  bytes: unknown,
): TorchTensor | null {
  const name = dtype instanceof NumpyDtype ? dtype.name : undefined
  if (!name || !(bytes instanceof Uint8Array)) return null
  if (!Array.isArray(shape) || !shape.every(isCount)) return null
  if (elementCount(shape, 8) !== bytes.length / itemSize(name)) return null
  const strides = fortran
    ? contiguousStrides(shape.toReversed()).reverse()
    : contiguousStrides(shape)
  return new TorchTensor(new InlineStorage(name, bytes), 0, shape, strides)
}

/** The number of a type, as exact as it is. */
function scalarOf(name: DtypeName, bytes: Uint8Array): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  switch (name) {
    case 'F64':
      return view.getFloat64(0, true)
    case 'I64':
      return narrow(view.getBigInt64(0, true))
    case 'U64':
      return narrow(view.getBigUint64(0, true))
    case 'I32':
      return view.getInt32(0, true)
    case 'U32':
      return view.getUint32(0, true)
    case 'BOOL':
      return view.getUint8(0) !== 0
    default:
      return at(widen(name, bytes), 0)
  }
}
