/** What the tests of ONNX files share. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Network } from '../../src/nn/network.ts'
import { readSafetensors } from '../../src/weights/safetensors.ts'

export const fixturePath = (name: string) =>
  fileURLToPath(new URL(`../weights/onnx/torch/${name}`, import.meta.url))

export const fixture = (name: string) => readFile(fixturePath(name))

/** The input that make.py makes: a hash of the index, in -1..1. */
export function images(n: number, size: number): Float32Array {
  return Float32Array.from(
    { length: n * 3 * size * size },
    (_, i) => (Math.imul(i, 2654435761) >>> 0) / 2 ** 31 - 1,
  )
}

export async function outputs(model: Network, n = 2): Promise<Float32Array> {
  const { size } = model.preprocess
  const x = model.engine.tensor(images(n, size), [n, 3, size, size])
  const y = model.engine.noGrad(() => model.forward(x))
  const values = await y.data()
  for (const tensor of [x, y]) tensor.dispose()
  return values
}

/** PyTorch and ONNX Runtime sum in another order: the bound on logits is the issue's. */
export const logitTolerance = 1e-4

export const resultsOf = async (name: string) => {
  const { tensors } = readSafetensors(await fixture('results.safetensors'))
  return tensors[name]?.data ?? new Float32Array(0)
}
