import type { NdArray } from '../arrays.ts'
import type { Contestant } from '../contest.ts'
import { loadPeer } from './install.ts'

/** A jax-js array. A function that takes it frees it, unless it is given `ref` instead. */
export interface JaxArray {
  readonly ref: JaxArray
  reshape(shape: readonly number[]): JaxArray
  data(): Promise<Float32Array>
  dispose(): void
}

/** The part of jax-js that is used here. */
export interface Jax {
  init(...devices: string[]): Promise<unknown>
  defaultDevice(device: string): unknown
  jit<T>(f: T): T
  blockUntilReady(x: JaxArray): Promise<unknown>
  readonly numpy: {
    array(data: Float32Array): JaxArray
    matmul(a: JaxArray, b: JaxArray): JaxArray
    add(a: JaxArray, b: JaxArray): JaxArray
  }
  readonly lax: {
    convGeneralDilated(
      x: JaxArray,
      weight: JaxArray,
      strides: readonly number[],
      padding: readonly (readonly [number, number])[],
    ): JaxArray
  }
}

const bindings = new WeakMap<Jax, number>()

/**
 * Opens jax-js on the same adapter; it opens its own device.
 * @param bindingBytes the most that one binding of the adapter holds
 */
export async function openJax(
  gpu: Pick<GPU, 'requestAdapter'>,
  bindingBytes: number,
): Promise<Jax> {
  Object.defineProperty(globalThis, 'navigator', {
    value: { ...globalThis.navigator, gpu },
    configurable: true,
  })
  const jax = (await loadPeer('@jax-js/jax')) as Jax
  const devices = await jax.init('webgpu')
  if (!Array.isArray(devices) || !devices.includes('webgpu'))
    throw new Error('jax-js does not open this adapter')
  jax.defaultDevice('webgpu')
  bindings.set(jax, bindingBytes)
  return jax
}

/**
 * A computation in jax-js, compiled by its jit and timed by the clock.
 * @throws Error for an input larger than a binding: jax-js would print the device's error in every
 * run and return zeros
 */
export async function onJax(
  jax: Jax,
  inputs: readonly NdArray[],
  run: (...inputs: JaxArray[]) => JaxArray,
): Promise<Contestant> {
  const largest = Math.max(...inputs.map(({ data }) => data.byteLength))
  const limit = bindings.get(jax)
  if (limit === undefined) throw new Error('jax-js was not opened by openJax')
  if (largest > limit)
    throw new Error(`binds ${largest} bytes at once, but the adapter's limit is ${limit}`)
  const arrays = inputs.map(({ data, shape }) => jax.numpy.array(data).reshape(shape))
  const compiled = jax.jit(run)
  const once = () => compiled(...arrays.map((array) => array.ref))
  return {
    async time() {
      const begun = performance.now()
      const result = once()
      await jax.blockUntilReady(result.ref)
      const ms = performance.now() - begun
      result.dispose()
      return ms
    },
    values: () => once().data(),
    dispose() {
      for (const array of arrays) array.dispose()
    },
  }
}
