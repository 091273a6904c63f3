/**
 * The weights in an archive of `torch.export.save` (.pt2): one entry for each tensor, and a JSON
 * that says what they are. Source: PyTorch, torch/export/pt2_archive/_package.py
 * (`_load_state_dict`), torch/_export/serde/schema.py (`ScalarType`, `TensorMeta`).
 */
import { WeightsError } from '../../base/errors.ts'
import { isRecord } from '../../base/json.ts'
import type { ArchiveEntry } from '../archive.ts'
import { isCount, quote } from '../arrays.ts'
import { type DtypeName, itemSize } from '../dtype.ts'
import { parseJson, show } from '../json.ts'
import { PickleDict } from './pickleValues.ts'
import { isCounts, TorchStorage, TorchTensor } from './torchTensor.ts'

/** PyTorch's numbers of the types that are read. */
const scalarTypes: Readonly<Record<number, DtypeName>> = {
  1: 'U8',
  2: 'I8',
  3: 'I16',
  4: 'I32',
  5: 'I64',
  6: 'F16',
  7: 'F32',
  8: 'F64',
  12: 'BOOL',
  13: 'BF16',
  28: 'U16',
  34: 'U32',
  35: 'U64',
}

const description = /^([^/]+\/data\/weights\/)[^/]*_weights_config\.json$/

/** The longest description that is read. */
const longestJson = 2 ** 25

/** The names of the descriptions of weights in a ZIP: one for each exported program in it. */
function descriptionsIn(archive: ReadonlyMap<string, ArchiveEntry>): string[] {
  return Array.from(archive.keys()).filter((name) => description.test(name))
}

/** Whether a ZIP holds an exported program. */
export function isExported(archive: ReadonlyMap<string, ArchiveEntry>): boolean {
  return descriptionsIn(archive).length > 0
}

/** An exported program's state_dict, and the folder whose entries are its storages. */
export interface ExportedState {
  readonly saved: PickleDict
  readonly folder: string
}

/**
 * Reads what an exported program says of its weights.
 * @throws WeightsError if it is damaged, holds several programs, or weights as pickles
 */
export async function readExported(
  archive: ReadonlyMap<string, ArchiveEntry>,
): Promise<ExportedState> {
  const [name = '', ...others] = descriptionsIn(archive)
  const entry = archive.get(name)
  const folder = description.exec(name)?.[1]
  if (!entry || !folder) throw new WeightsError('the archive holds no exported program')
  if (others.length > 0)
    throw new WeightsError(
      `the archive holds several programs (${[name, ...others].map(quote).join(', ')}); ` +
        'export one alone',
    )
  if (entry.size > longestJson)
    throw new WeightsError(
      `${quote(name)} takes ${entry.size} bytes, which no program's weights do`,
    )
  const json = parseJson(await entry.read(), quote(name))
  const config = isRecord(json) ? json.config : undefined
  if (!isRecord(config)) throw new WeightsError(`${quote(name)} has no "config"; export it again`)
  const saved = new PickleDict()
  for (const [tensor, about] of Object.entries(config))
    saved.set(tensor, tensorOf(tensor, about, archive, folder))
  return { saved, folder }
}

function tensorOf(
  name: string,
  about: unknown,
  archive: ReadonlyMap<string, ArchiveEntry>,
  folder: string,
): TorchTensor {
  const { path_name: key, use_pickle: pickled, tensor_meta: meta } = isRecord(about) ? about : {}
  if (pickled === true)
    throw new WeightsError(
      `tensor ${quote(name)} is of a class of its own, which is not read; ` +
        "save the tensors alone: torch.save(program.state_dict, 'weights.pth')",
    )
  const { dtype, sizes, strides, storage_offset: offset } = isRecord(meta) ? meta : {}
  const [shape, steps, [start]] = [integers(sizes), integers(strides), integers([offset])]
  const type = Object.hasOwn(scalarTypes, Number(dtype)) ? scalarTypes[Number(dtype)] : undefined
  if (!type)
    throw new WeightsError(
      `tensor ${quote(name)} has numbers of the type ${show(dtype)}, which is not read; ` +
        'convert them with .float() and export it again',
    )
  const entry = typeof key === 'string' ? archive.get(`${folder}${key}`) : undefined
  if (typeof key !== 'string' || !entry || !isCount(start) || !isCounts(shape) || !isCounts(steps))
    throw new WeightsError(
      `tensor ${quote(name)} has no numbers, or no sizes, strides and offset; export it again`,
    )
  const storage = new TorchStorage(key, type, Math.floor(entry.size / itemSize(type)), 0)
  return new TorchTensor(storage, start, shape, steps)
}

/** Integers as an export writes them: `{ "as_int": 3 }`; null for what is none. */
function integers(values: unknown): unknown[] {
  return Array.isArray(values)
    ? values.map((value: unknown) => (isRecord(value) ? value.as_int : null))
    : []
}
