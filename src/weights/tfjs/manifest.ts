/**
 * The weights of a TensorFlow.js model: `weightsManifest` lists groups, each a run of weights cut
 * into shards. Source: TensorFlow.js, tfjs-core/src/io/types.ts (`WeightsManifestEntry`) and
 * io_utils.ts (`decodeWeights`).
 */
import { WeightsError } from '../../base/errors.ts'
import { isRecord } from '../../base/json.ts'
import type { NamedArray } from '../../base/stateDict.ts'
import { elementCount, isCount, quote } from '../arrays.ts'
import { type DtypeName, itemSize, widenInPlace } from '../dtype.ts'
import { show } from '../json.ts'
import type { WeightsPlace } from '../place.ts'
import { type ByteSource, joinedSource, requireRoom } from '../source.ts'

const dtypes: Readonly<Record<string, DtypeName>> = { float32: 'F32', int32: 'I32', bool: 'BOOL' }

/**
 * How converters pack float32: as float16, or as integers q of which the value is q * scale + min.
 */
const packed: Readonly<Record<string, DtypeName>> = { float16: 'F16', uint8: 'U8', uint16: 'U16' }

interface Spec {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: DtypeName
  readonly scale: number
  readonly min: number
  readonly bytes: number
}

/**
 * Reads every weight, quantized ones widened.
 * @throws WeightsError if the manifest is invalid, or a shard is missing, too long or too short
 */
export async function readManifest(
  place: WeightsPlace,
  manifest: unknown,
): Promise<ReadonlyMap<string, NamedArray>> {
  if (!Array.isArray(manifest))
    throw new WeightsError('its weightsManifest is not a list; convert the model again')
  const arrays = new Map<string, NamedArray>()
  for (const group of manifest) {
    const { paths, weights } = isRecord(group) ? group : {}
    if (
      !Array.isArray(paths) ||
      !paths.every((path) => typeof path === 'string') ||
      !Array.isArray(weights)
    )
      throw new WeightsError(
        'a group of its weightsManifest has no paths or weights; convert the model again',
      )
    if (new Set(paths).size < paths.length)
      throw new WeightsError('its weightsManifest lists a shard twice; convert the model again')
    const specs = weights.map(specOf)
    const shards: ByteSource[] = []
    for (const path of paths) shards.push(await place.sibling(path))
    const source = joinedSource(shards)
    await readGroup(source, specs, arrays)
    await source.close()
  }
  return arrays
}

async function readGroup(
  source: ByteSource,
  specs: readonly Spec[],
  arrays: Map<string, NamedArray>,
): Promise<void> {
  const total = specs.reduce((sum, { bytes }) => sum + bytes, 0)
  if (total !== source.size)
    throw new WeightsError(
      `its shards hold ${source.size} bytes where the manifest calls for ${total}; ` +
        'download or copy all files again',
    )
  requireRoom(
    'its weights',
    4 * specs.reduce((sum, { bytes, dtype }) => sum + bytes / itemSize(dtype), 0),
    source.size,
  )
  let at = 0
  for (const { name, shape, dtype, scale, min, bytes } of specs) {
    if (arrays.has(name))
      throw new WeightsError(
        `the manifest has the weight ${quote(name)} twice; convert the model again`,
      )
    const data = widenInPlace(dtype, await source.read(at, bytes))
    // In float64, rounded once: as TensorFlow.js computes it.
    if (scale !== 1 || min !== 0)
      for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) * scale + min
    arrays.set(name, { shape, data, dtype })
    at += bytes
  }
}

function specOf(weight: unknown): Spec {
  const { name, shape, dtype, quantization } = isRecord(weight) ? weight : {}
  if (typeof name !== 'string' || !Array.isArray(shape) || !shape.every(isCount))
    throw new WeightsError(
      'a weight of its weightsManifest has no name or no valid shape; convert the model again',
    )
  const fail = (problem: string): never => {
    throw new WeightsError(`weight ${quote(name)}: ${problem}`)
  }
  const { dtype: kind, scale = 1, min = 0 } = isRecord(quantization) ? quantization : {}
  const names = quantization === undefined ? dtypes : packed
  const type = quantization === undefined ? dtype : kind
  const known = typeof type === 'string' && Object.hasOwn(names, type) ? names[type] : undefined
  if (!known)
    return fail(
      `its type is ${show(type)}, and only ${Object.keys(names).join(', ')} are read; ` +
        'convert the model again',
    )
  if (
    typeof scale !== 'number' ||
    typeof min !== 'number' ||
    !Number.isFinite(scale) ||
    !Number.isFinite(min)
  )
    return fail('its quantization has no finite scale and min')
  const count = elementCount(shape, itemSize(known))
  if (count === null) return fail(`its shape [${shape.join(', ')}] overflows`)
  return { name, shape, dtype: known, scale, min, bytes: count * itemSize(known) }
}
