/**
 * safetensors in several files: an index, `model.safetensors.index.json`, names the file of each
 * tensor. Source: https://huggingface.co/docs/transformers/big_models ("Sharded
 * checkpoints").
 */
import { WeightsError } from '../base/errors.ts'
import { isRecord } from '../base/json.ts'
import type { StateDict } from '../base/stateDict.ts'
import { labeled, quote } from './arrays.ts'
import type { WeightsPlace } from './place.ts'
import { readSafetensorsFrom, type WeightsFile } from './safetensors.ts'

/** Whether a JSON file is such an index. */
export function isShardIndex(json: Record<string, unknown>): boolean {
  return 'weight_map' in json
}

/**
 * Reads every shard that the index names, one after the other.
 * @throws WeightsError where a shard is missing or damaged, or index and shards disagree about a
 * tensor
 */
export async function readSharded(
  place: WeightsPlace,
  json: Record<string, unknown>,
): Promise<WeightsFile> {
  const { weight_map: map, metadata: about } = json
  if (!isRecord(map))
    throw new WeightsError(
      'its weight_map is not a map from tensors to files; write the index again',
    )
  const files = new Map<string, string>()
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== 'string')
      throw new WeightsError(`its weight_map has no file for ${quote(name)}; write the index again`)
    files.set(name, file)
  }
  const tensors = new Map<string, StateDict[string]>()
  const metadata: [string, string][] = isRecord(about) ? Object.entries(about).flatMap(textOf) : []
  for (const file of new Set(files.values())) {
    const source = await place.sibling(file)
    const shard = await readSafetensorsFrom(source).catch((cause: unknown) => {
      throw labeled(`its file ${file}`, cause)
    })
    await source.close()
    for (const [name, array] of Object.entries(shard.tensors)) {
      if (files.get(name) !== file)
        throw new WeightsError(
          `tensor ${quote(name)} is in ${file}, ` +
            `but the index says ${files.get(name) ?? 'nothing of it'}`,
        )
      tensors.set(name, array)
    }
    metadata.push(...Object.entries(shard.metadata))
  }
  const lost = Array.from(files.keys()).find((name) => !tensors.has(name))
  if (lost !== undefined)
    throw new WeightsError(
      `tensor ${quote(lost)} is not in ${files.get(lost)}, where the index places it`,
    )
  return { tensors: Object.fromEntries(tensors), metadata: Object.fromEntries(metadata) }
}

function textOf([key, value]: [string, unknown]): [string, string][] {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? [[key, String(value)]]
    : []
}
