import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

/**
 * As much of onnxruntime-node as the tests use; it is installed with the benchmarks, too large for
 * every `npm ci`.
 */
interface OnnxRuntime {
  readonly InferenceSession: { create(bytes: Uint8Array): Promise<Session> }
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => object
}

interface Session {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  run(
    feeds: Readonly<Record<string, object>>,
  ): Promise<Readonly<Record<string, { readonly data: Float32Array; readonly dims: number[] }>>>
}

function load(): OnnxRuntime | null {
  try {
    return createRequire(fileURLToPath(new URL('../../bench/package.json', import.meta.url)))(
      'onnxruntime-node',
    ) as OnnxRuntime
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return null
    throw error
  }
}

/** ONNX Runtime, or null where `npm ci --prefix bench --ignore-scripts` was not run. */
export const onnxRuntime = load()

/** What ONNX Runtime computes for a model of one input and one output. */
export async function runOnnx(bytes: Uint8Array, x: Float32Array, shape: readonly number[]) {
  if (!onnxRuntime)
    throw new Error('onnxruntime-node is not installed: npm ci --prefix bench --ignore-scripts')
  const session = await onnxRuntime.InferenceSession.create(bytes)
  const [input = '', output = ''] = [session.inputNames[0], session.outputNames[0]]
  const result = (await session.run({ [input]: new onnxRuntime.Tensor('float32', x, shape) }))[
    output
  ]
  if (!result) throw new Error(`ONNX Runtime gave no ${output}`)
  return { data: result.data, shape: result.dims }
}
