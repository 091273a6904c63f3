/** Small sound files of every format, and all that is left of them when they are cut. */
import { assemble } from '../headers.ts'
import { archive, bytes, type HostileFile, soundDict, stream, values, zip } from './build.ts'
import { soundModel, soundShard } from './manifests.ts'

const array = bytes(
  '\x93NUMPY\x01\x00\x76\x00',
  "{'descr': '<f4', 'fortran_order': False, 'shape': (4,)}".padEnd(118),
  values,
)
const shard = assemble('{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}', values)
const index = bytes('{"metadata":{},"weight_map":{"a":"b.safetensors"}}')
const model = bytes(JSON.stringify(soundModel))

/** Small files that are as they should be. */
export const sound: readonly HostileFile[] = [
  { title: 'zip', files: { 'a.pth': archive(soundDict) } },
  { title: 'stream', files: { 'a.pth': stream(soundDict) } },
  { title: 'safetensors', files: { 'a.safetensors': shard } },
  { title: 'npz', files: { 'a.npz': zip([{ name: 'a.npy', data: array }]) } },
  {
    title: 'deflated npz',
    files: { 'a.npz': zip([{ name: 'a.npy', data: array, deflate: true }]) },
  },
  { title: 'index', files: { 'a.json': index, 'b.safetensors': shard } },
  { title: 'model.json', files: { 'model.json': model, 'b.bin': soundShard } },
]

/**
 * Each file of each format, cut everywhere; the longest in steps, so that no more than a few
 * hundred are left of it.
 */
export const truncated: readonly HostileFile[] = sound.flatMap(({ title, files }) =>
  Object.entries(files).flatMap(([name, whole]) => {
    const step = Math.ceil(whole.length / 500)
    const lengths = Array.from({ length: Math.ceil(whole.length / step) }, (_, i) => i * step)
    return lengths.map((length) => ({
      title: `${title}: ${name} cut at ${length}`,
      files: { ...files, [name]: whole.subarray(0, length) },
    }))
  }),
)
