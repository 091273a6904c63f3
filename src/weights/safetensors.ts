/**
 * The safetensors format: 8 bytes of header length (little-endian), a JSON header that names every
 * tensor with its type, shape and place, then the tensors' bytes. Source:
 * https://github.com/huggingface/safetensors, README.md ("Format") and safetensors/src/tensor.rs,
 * whose checks are all made here.
 */
import { WeightsError } from '../base/errors.ts'
import type { NamedArray, StateDict } from '../base/stateDict.ts'
import { bytesOf, checkArray, checkText, concat } from './arrays.ts'
import { widen, widenInPlace } from './dtype.ts'
import {
  headBytes,
  headerEnd,
  maxHeaderBytes,
  metadataKey,
  parseHeader,
  readHeader,
  type TensorEntry,
} from './safetensorsHeader.ts'
import type { ByteSource } from './source.ts'

/** The contents of a weights file of any format. */
export interface WeightsFile {
  /** The arrays by name, in the order of the file, each with its type in the file. */
  readonly tensors: StateDict
  /**
   * The file's texts by key, in safetensors under `__metadata__`; empty if there are none.
   */
  readonly metadata: Record<string, string>
  /** The file's names of arrays that were left out, if any: they are outside of its prefix. */
  readonly ignored?: readonly string[]
  /** What a person should know of how the file was read, if anything: one sentence each. */
  readonly remarks?: readonly string[]
}

/**
 * Reads a safetensors file. F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8 and BOOL are
 * widened to float32 (what float32 cannot hold is rounded to the nearest it can); `dtype` keeps the
 * file's type. The arrays are copies: `bytes` may be reused afterwards.
 *
 * @param bytes the whole file
 * @param options `inPlace`: lay F32 arrays over `bytes` itself where they are aligned: nothing is
 * held twice, and `bytes` has to stay as it is
 * @returns tensors: each `data` is f32[product of shape], row-major; a shape of [] is one number, a
 * size of 0 no numbers
 * @throws WeightsError for a file that is damaged, truncated or not of this format; the whole
 * header is checked before anything is allocated
 * @example
 * const { tensors, metadata } = readSafetensors(await readFile('model.safetensors'))
 * console.log(tensors['features.0.weight']?.shape, metadata.architecture)
 */
export function readSafetensors(
  bytes: Uint8Array,
  { inPlace = false }: { readonly inPlace?: boolean } = {},
): WeightsFile {
  const { entries, metadata, dataStart } = readHeader(bytes)
  const toFloats = inPlace ? widenInPlace : widen
  const arrays = entries.map(({ name, dtype, shape, begin, end }): [string, NamedArray] => {
    const data = toFloats(dtype, bytes.subarray(dataStart + begin, dataStart + end))
    return [name, { shape, data, dtype }]
  })
  return { tensors: Object.fromEntries(arrays), metadata }
}

/** Adjacent tensors are read together up to this many bytes; a larger one is read alone. */
const readAhead = 2 ** 20

/**
 * As `readSafetensors`, from a file that is read in parts: the header's length first, then the
 * header, then tensor by tensor, so that no bytes are in memory twice.
 */
export async function readSafetensorsFrom(source: ByteSource): Promise<WeightsFile> {
  const end = headerEnd(await source.read(0, Math.min(headBytes, source.size)), source.size)
  const { entries, metadata, dataStart } = parseHeader(await source.read(8, end - 8), source.size)
  const ordered = [...entries].sort((a, b) => a.begin - b.begin)
  // Filled below; the order of the names stays that of the header.
  const arrays = new Map<string, NamedArray>(
    entries.map(({ name, shape }) => [name, { shape, data: new Float32Array() }]),
  )
  for (const { begin: start, end: stop, entries } of groupsOf(ordered)) {
    const bytes = await source.read(dataStart + start, stop - start)
    for (const { name, dtype, shape, begin, end } of entries) {
      const data = widenInPlace(dtype, bytes.subarray(begin - start, end - start))
      arrays.set(name, { shape, data, dtype })
    }
  }
  return { tensors: Object.fromEntries(arrays), metadata }
}

/** Tensors that are read together. */
interface Group {
  readonly begin: number
  end: number
  readonly entries: TensorEntry[]
}

function groupsOf(ordered: readonly TensorEntry[]): Group[] {
  const groups: Group[] = []
  for (const entry of ordered) {
    const last = groups.at(-1)
    if (last && entry.end - last.begin <= readAhead) {
      last.end = entry.end
      last.entries.push(entry)
    } else groups.push({ begin: entry.begin, end: entry.end, entries: [entry] })
  }
  return groups
}

/**
 * Writes a safetensors file, every array as F32. The same names and values give the same bytes in
 * any order: names are sorted by code unit, and nothing depends on the time or the machine.
 *
 * @param tensors each `data` is f32[product of shape], row-major
 * @param metadata free text to keep with them
 * @returns the whole file
 * @throws WeightsError where a shape and its data differ in size, a name is `__metadata__` or not
 * valid Unicode, or metadata is not text
 * @example
 * await writeFileAtomic('model.safetensors', writeSafetensors(model.stateDict(), { architecture:
 * 'alexnet-64' }))
 */
export function writeSafetensors(
  tensors: StateDict,
  metadata: Record<string, string> = {},
): Uint8Array {
  return concat(safetensorsParts(tensors, metadata))
}

/**
 * `writeSafetensors` in parts, for files too large to be in memory twice: the header, then each
 * array's own bytes, which must not change until they are written.
 * @throws WeightsError as `writeSafetensors`
 * @example await writeFileAtomic('checkpoint.safetensors', safetensorsParts(tensors))
 */
export function safetensorsParts(
  tensors: StateDict,
  metadata: Record<string, string> = {},
): Uint8Array[] {
  const arrays = sorted(tensors)
  const texts = sorted(metadata)
  for (const [key, text] of texts) checkText(key, text)
  let size = 0
  const entries = arrays.map(([name, array]): [string, object] => {
    if (name === metadataKey)
      throw new WeightsError(
        `a tensor is named ${metadataKey}, which the format reserves; rename it`,
      )
    checkArray(name, array)
    const begin = size
    size += array.data.byteLength
    return [name, { dtype: 'F32', shape: array.shape, data_offsets: [begin, size] }]
  })
  // Joined by hand, because an object would put names like "10" before the others.
  const fields = entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`)
  if (texts.length > 0)
    fields.unshift(`${JSON.stringify(metadataKey)}:${JSON.stringify(Object.fromEntries(texts))}`)
  const header = new TextEncoder().encode(`{${fields.join(',')}}`)
  const padded = Math.ceil(header.length / 8) * 8
  if (padded > maxHeaderBytes) {
    throw new WeightsError(
      `the header would take ${padded} bytes and ${maxHeaderBytes} is the most allowed; ` +
        'write fewer names or less metadata',
    )
  }
  const start = new Uint8Array(8 + padded)
  new DataView(start.buffer).setBigUint64(0, BigInt(padded), true)
  start.set(header, 8)
  start.fill(0x20, 8 + header.length)
  return [start, ...arrays.map(([, { data }]) => bytesOf(data))]
}

function sorted<T>(record: Record<string, T>): [string, T][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))
}
