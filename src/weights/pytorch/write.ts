/**
 * Writes what `torch.save(state_dict, path)` has written since PyTorch 1.6: a ZIP with `data.pkl`,
 * a pickle of protocol 2, and each tensor's values in an entry `data/N` that is stored, not
 * compressed. Source: PyTorch, torch/serialization.py (`_save`) and
 * caffe2/serialize/inline_container.h (values begin at a multiple of 64 bytes, so that the file can
 * be mapped into memory).
 */
import { WeightsError } from '../../base/errors.ts'
import type { StateDict } from '../../base/stateDict.ts'
import { bytesOf, checkArray, checkText } from '../arrays.ts'
import { pickleStateDict } from './pickleWriter.ts'

/**
 * Writes a PyTorch checkpoint that holds a state_dict: an OrderedDict of contiguous float32
 * tensors, in the order given. `torch.load(path)` gives the dictionary, also with
 * `weights_only=True`, and `load_state_dict` takes it. The same values give the same bytes.
 *
 * @param tensors each `data` is f32[product of shape], row-major
 * @param metadata free text, kept as an attribute of the dictionary:
 * `torch.load(path).metadata['classes']`
 * @returns the whole file
 * @throws WeightsError where a shape and its data differ in size, metadata is not text, or there
 * are no tensors
 * @example
 * await writeFileAtomic('alexnet.pth', await writePyTorch(await model.stateDict(), { classes:
 * JSON.stringify(model.classNames) }))
 */
export async function writePyTorch(
  tensors: StateDict,
  metadata: Record<string, string> = {},
): Promise<Uint8Array> {
  const arrays = Object.entries(tensors)
  if (arrays.length === 0) throw new WeightsError('there are no tensors to write')
  for (const [name, array] of arrays) checkArray(name, array)
  for (const [key, text] of Object.entries(metadata)) checkText(key, text)
  const text = new TextEncoder()
  const entries: [string, Uint8Array][] = [
    ['data.pkl', pickleStateDict(arrays, metadata)],
    ['byteorder', text.encode('little')],
    ...arrays.map(([, { data }], i): [string, Uint8Array] => [`data/${i}`, bytesOf(data)]),
    ['version', text.encode('3\n')],
  ]
  // Loaded when it is used: most programs write no PyTorch file.
  return (await import('./zip.ts')).zipAligned(entries)
}
