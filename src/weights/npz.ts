/**
 * NumPy's archives of arrays: a ZIP with one .npy file for each array, as `numpy.savez` and
 * `savez_compressed` write it. Source: NumPy, numpy/lib/format.py, which describes the .npy
 * format.
 */
import { WeightsError } from '../base/errors.ts'
import type { NamedArray } from '../base/stateDict.ts'
import type { ArchiveEntry } from './archive.ts'
import { contiguousStrides, elementCount, gather, labeled, quote } from './arrays.ts'
import { type DtypeName, itemSize, widenInPlace } from './dtype.ts'
import type { WeightsFile } from './safetensors.ts'
import { type ByteSource, requireRoom } from './source.ts'

const ending = '.npy'

/** NumPy's names of the types that are read, little-endian or of one byte. */
export const numpyDtypes: Readonly<Record<string, DtypeName>> = {
  '<f8': 'F64',
  '<f4': 'F32',
  '<f2': 'F16',
  '<i8': 'I64',
  '<i4': 'I32',
  '<i2': 'I16',
  '|i1': 'I8',
  '<u8': 'U64',
  '<u4': 'U32',
  '<u2': 'U16',
  '|u1': 'U8',
  '|b1': 'BOOL',
}

/** Whether a ZIP is one of NumPy's. */
export function isNpz(archive: ReadonlyMap<string, ArchiveEntry>): boolean {
  return archive.size > 0 && Array.from(archive.keys()).every((name) => name.endsWith(ending))
}

/**
 * Reads the arrays of an .npz, by their names without `.npy`. Arrays of Python objects, which would
 * be pickles, are refused.
 * @throws WeightsError for a damaged archive or array, and for one that would take far more memory
 * than the file has bytes
 */
export async function readNpz(
  source: ByteSource,
  archive: ReadonlyMap<string, ArchiveEntry>,
): Promise<WeightsFile> {
  const entries = [...archive.values()]
  requireRoom('its arrays', 2 * entries.reduce((sum, { size }) => sum + size, 0), source.size)
  const arrays: [string, NamedArray][] = []
  for (const entry of entries) {
    const name = entry.name.slice(0, -ending.length)
    try {
      arrays.push([name, parseNpy(await entry.read())])
    } catch (cause) {
      throw labeled(`array ${quote(name)}`, cause)
    }
  }
  return { tensors: Object.fromEntries(arrays), metadata: {} }
}

/**
 * Reads one array.
 * @param bytes a whole .npy file, which must not change afterwards
 */
export function parseNpy(bytes: Uint8Array): NamedArray {
  const { header, dataStart } = readNpyHeader(bytes)
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1]
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1]
  const sizes = /'shape':\s*\(([\d\s,]*)\)/.exec(header)?.[1]
  if (descr === undefined || order === undefined || sizes === undefined)
    throw new WeightsError(
      'its .npy header has no plain descr, fortran_order and shape; save it again with numpy.savez',
    )
  const dtype = Object.hasOwn(numpyDtypes, descr) ? numpyDtypes[descr] : undefined
  if (!dtype)
    throw new WeightsError(
      `its type is ${quote(descr)}, and only little-endian numbers are read; ` +
        "convert it with astype('<f4')",
    )
  const shape = sizes.split(',').flatMap((size) => (size.trim() ? [Number(size)] : []))
  const count = shape.every(Number.isSafeInteger) ? elementCount(shape, itemSize(dtype)) : null
  const size = count === null ? null : count * itemSize(dtype)
  const found = bytes.length - dataStart
  if (size !== found)
    throw new WeightsError(
      `its shape (${shape.join(', ')}) of ${descr} takes ${size ?? 'too many'} bytes ` +
        `and ${found} are there; damaged`,
    )
  const values = widenInPlace(dtype, bytes.subarray(dataStart))
  if (order === 'False') return { shape, data: values, dtype }
  return {
    shape,
    data: gather(values, shape, contiguousStrides([...shape].reverse()).reverse()),
    dtype,
  }
}

/** Version 1 gives the header's length in 2 bytes, versions 2 and 3 in 4. */
function readNpyHeader(bytes: Uint8Array): { readonly header: string; readonly dataStart: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(0, 6)) !== '\x93NUMPY')
    throw new WeightsError('it does not begin like a .npy file; save it again with numpy.savez')
  const version = view.getUint8(6)
  if (version < 1 || version > 3)
    throw new WeightsError(`its .npy format is version ${version}, and 1 to 3 are read`)
  const start = version === 1 ? 10 : 12
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  const dataStart = start + length
  if (dataStart > bytes.length || length > longestHeader)
    throw new WeightsError('its .npy header is truncated or damaged')
  return { header: new TextDecoder('latin1').decode(bytes.subarray(start, dataStart)), dataStart }
}

const longestHeader = 2 ** 16
