import type { Engine } from '../../src/index.ts'
import { type NdArray, permute } from '../arrays.ts'
import type { Competitor, Contestant } from '../contest.ts'
import { loadPeer, loadPeerFile } from './install.ts'

/** The part of a tfjs tensor that is used here. */
export interface TfTensor {
  readonly shape: number[]
  data(): Promise<Float32Array>
  dataSync(): Float32Array
  dispose(): void
}

/** The part of tfjs that is used here; its own types exist only after its installation. */
export interface Tf {
  setBackend(name: string): Promise<boolean>
  enableProdMode(): void
  ready(): Promise<void>
  tensor(data: Float32Array | Int32Array, shape: readonly number[], dtype?: string): TfTensor
  variable(initial: TfTensor, trainable?: boolean, name?: string): TfTensor
  time(body: () => void): Promise<{ readonly kernelMs: number | { readonly error: string } }>
  tidy<T>(body: () => T): T
  keep(tensor: TfTensor): TfTensor
  memory(): { readonly numTensors: number }
  engine(): { runKernel(name: string, inputs: object, attrs: object): TfTensor }
  env(): { set(name: string, value: unknown): void }
  registerBackend(name: string, factory: () => unknown): boolean
  removeBackend(name: string): void
  findBackend(
    name: string,
  ): { readonly bufferManager?: { readonly numBytesAllocated: number } } | null
  add(a: TfTensor, b: TfTensor): TfTensor
  mul(a: TfTensor, b: TfTensor): TfTensor
  relu(x: TfTensor): TfTensor
  step(x: TfTensor): TfTensor
  matMul(a: TfTensor, b: TfTensor, transposeA?: boolean, transposeB?: boolean): TfTensor
  maxPool(
    x: TfTensor,
    size: number,
    stride: number,
    pad: number | 'valid',
    rounding?: 'floor',
  ): TfTensor
  localResponseNormalization(
    x: TfTensor,
    radius: number,
    bias: number,
    alpha: number,
    beta: number,
  ): TfTensor
  reshape(x: TfTensor, shape: readonly number[]): TfTensor
  oneHot(indices: TfTensor, depth: number): TfTensor
  grad(f: (x: TfTensor) => TfTensor): (x: TfTensor) => TfTensor
  readonly fused: {
    conv2d(options: object): TfTensor
    matMul(options: object): TfTensor
  }
  readonly losses: { softmaxCrossEntropy(labels: TfTensor, logits: TfTensor): TfTensor }
  readonly train: {
    momentum(lr: number, momentum: number): TfOptimizer
    sgd(lr: number): TfOptimizer
    adam(lr: number): TfOptimizer
  }
}

export interface TfOptimizer {
  applyGradients(grads: Record<string, TfTensor>): void
  minimize(f: () => TfTensor, returnCost: boolean): TfTensor | null
  dispose(): void
}

export type TfBackend = 'webgpu' | 'wasm' | 'cpu'
export const tfBackends = ['webgpu', 'wasm', 'cpu'] as const
export const competitorOf: Readonly<Record<TfBackend, Competitor>> = {
  webgpu: 'tfjs_webgpu',
  wasm: 'tfjs_wasm',
  cpu: 'tfjs_cpu',
}

/**
 * Opens tfjs with its WebGPU backend on Graft's device, wasm with SIMD, and plain JavaScript. tfjs
 * is asked for one wasm thread for each processor, but in Node it takes the binary without threads.
 * The threaded one, tried by hand in versions 4.2 to 4.22, also reports one thread and uses one
 * processor (https://github.com/tensorflow/tfjs/issues/8513).
 */
export async function openTfjs(engine: Engine, threads: number): Promise<Tf> {
  // Without `gpu`, so that tfjs does not open another WebGPU device.
  Object.defineProperty(globalThis, 'navigator', {
    value: { hardwareConcurrency: threads, userAgent: 'node' },
    configurable: true,
  })
  const tf = (await loadPeer('@tensorflow/tfjs-core')) as Tf
  tf.enableProdMode()
  loadPeerFile('@tensorflow/tfjs-core/dist/register_all_gradients')
  await loadPeer('@tensorflow/tfjs-backend-cpu')
  const wasm = (await loadPeer('@tensorflow/tfjs-backend-wasm')) as {
    setThreadsCount(n: number): void
  }
  wasm.setThreadsCount(threads)
  const { WebGPUBackend } = (await loadPeer('@tensorflow/tfjs-backend-webgpu')) as {
    readonly WebGPUBackend: BackendClass
  }
  opened.set(tf, { Backend: WebGPUBackend, device: engine.gpu.device })
  await renewWebgpu(tf)
  tf.env().set('WEBGPU_CPU_FORWARD', false)
  return tf
}

type BackendClass = new (device: GPUDevice, info: GPUAdapterInfo) => unknown
const opened = new WeakMap<Tf, { readonly Backend: BackendClass; readonly device: GPUDevice }>()

function openedBy(tf: Tf) {
  const found = opened.get(tf)
  if (!found) throw new Error('tfjs was not opened by openTfjs')
  return found
}

/**
 * Gives tfjs a new WebGPU backend on the same device; the buffers of the earlier one are destroyed.
 */
export async function renewWebgpu(tf: Tf): Promise<void> {
  const { Backend, device } = openedBy(tf)
  if (tf.findBackend('webgpu')) tf.removeBackend('webgpu')
  tf.registerBackend('webgpu', () => new Backend(device, device.adapterInfo))
  await tf.setBackend('webgpu')
  await tf.ready()
}

/**
 * Runs a tfjs computation on the shared device. A validation error is returned, so that it does not
 * count as another library's.
 */
export async function validated<T>(
  device: GPUDevice | null,
  body: () => Promise<T>,
): Promise<{ result: T; error: string | null }> {
  if (!device) return { result: await body(), error: null }
  device.pushErrorScope('validation')
  let error: GPUError | null = null
  let result: T
  try {
    result = await body()
  } finally {
    error = await device.popErrorScope()
  }
  return { result, error: error && `fails validation: ${error.message.split('\n')[0]}` }
}

/**
 * A computation on one of tfjs's backends, timed by timestamps on WebGPU and by the clock
 * elsewhere.
 */
export async function onTfjs(
  tf: Tf,
  backend: TfBackend,
  inputs: readonly NdArray[],
  run: (...inputs: TfTensor[]) => TfTensor,
  toOurs: (result: NdArray) => NdArray = (result) => result,
): Promise<Contestant> {
  await tf.setBackend(backend)
  await tf.ready()
  const tensors = inputs.map(({ data, shape }) => tf.tensor(data, shape))
  const once = () => tf.tidy(() => run(...tensors))
  const onDevice = backend === 'webgpu' ? openedBy(tf).device : null
  return {
    async time() {
      await tf.setBackend(backend)
      return (await validated(onDevice, () => timeOnTfjs(tf, onDevice, once))).result
    },
    async values() {
      await tf.setBackend(backend)
      const { result, error } = await validated(onDevice, async () => {
        const y = once()
        const data = await y.data()
        y.dispose()
        return toOurs({ shape: y.shape, data }).data
      })
      if (error) throw new Error(error)
      return result
    },
    async dispose() {
      await tf.setBackend(backend)
      for (const tensor of tensors) tensor.dispose()
    },
  }
}

/**
 * Milliseconds that `once` takes: by the device's timestamps, or by the clock until the result is
 * on the host.
 */
export async function timeOnTfjs(
  tf: Tf,
  device: GPUDevice | null,
  once: () => TfTensor | undefined,
): Promise<number> {
  if (device?.features.has('timestamp-query')) {
    const { kernelMs } = await tf.time(() => once()?.dispose())
    if (typeof kernelMs !== 'number') throw new Error(kernelMs.error)
    return kernelMs
  }
  const begun = performance.now()
  const result = once()
  if (device) await device.queue.onSubmittedWorkDone()
  else result?.dataSync()
  const ms = performance.now() - begun
  result?.dispose()
  return ms
}

/** Images in tfjs have their channels last. */
export const toNhwc = (x: NdArray) => permute(x, [0, 2, 3, 1])
export const toNchw = (x: NdArray) => permute(x, [0, 3, 1, 2])
/** tfjs's filters are [height, width, in, out], PyTorch's [out, in, height, width]. */
export const toHwio = (x: NdArray) => permute(x, [2, 3, 1, 0])
export const toOihw = (x: NdArray) => permute(x, [3, 2, 0, 1])
