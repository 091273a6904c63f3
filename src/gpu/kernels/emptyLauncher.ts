import { KernelError } from '../../base/errors.ts'
import type { CompiledKernel, PipelineCache, Uncompiled } from './pipelines.ts'

/**
 * Bytes that each binding sees: enough for one element of any array, at the alignment that every
 * device accepts.
 */
const windowBytes = 256
const maxBindings = 16

/**
 * Launches kernels with nothing to do, to warm them up. A CPU driver makes machine code for a
 * pipeline at its first launch, one pipeline after the other, and takes half a second for a large
 * one. Warming up lets it do so while other pipelines are still being compiled, and lets progress
 * be reported.
 */
export class EmptyLauncher {
  readonly #device: GPUDevice
  readonly #pipelines: PipelineCache
  readonly #params: GPUBindGroup
  readonly #read: GPUBuffer
  readonly #written: GPUBuffer
  /** When the last launch ended. */
  #ended = 0

  constructor(device: GPUDevice, pipelines: PipelineCache) {
    this.#device = device
    this.#pipelines = pipelines
    const create = (usage: GPUBufferUsageFlags) =>
      device.createBuffer({ label: 'empty launches', size: windowBytes * maxBindings, usage })
    const zeros = create(GPUBufferUsage.UNIFORM) // every count and extent is 0
    this.#read = create(GPUBufferUsage.STORAGE)
    this.#written = create(GPUBufferUsage.STORAGE)
    this.#params = device.createBindGroup({
      label: 'empty launches',
      layout: pipelines.paramsLayout,
      entries: [{ binding: 0, resource: { buffer: zeros, size: windowBytes } }],
    })
  }

  /**
   * Compiles a kernel and launches it.
   * @param compiled the kernel, where its compilation has begun already
   * @returns the milliseconds that the device took for the launch, once it has run
   * @throws KernelError where compilation or launch fails
   */
  async launch(
    kernel: Uncompiled,
    compiled: Promise<CompiledKernel> = this.#pipelines.compile(kernel),
  ): Promise<number> {
    const { source, layout, pipeline } = await compiled
    const entries = source.interface.bindings.map(({ binding, writable }) => ({
      binding,
      resource: {
        buffer: writable ? this.#written : this.#read,
        offset: binding * windowBytes,
        size: windowBytes,
      },
    }))
    const encoder = this.#device.createCommandEncoder({ label: 'empty launch' })
    const pass = encoder.beginComputePass()
    pass.setPipeline(pipeline)
    pass.setBindGroup(0, this.#device.createBindGroup({ layout: layout.bindGroupLayout, entries }))
    pass.setBindGroup(1, this.#params, [0])
    pass.dispatchWorkgroups(1)
    pass.end()
    const submitted = performance.now()
    this.#device.queue.submit([encoder.finish()])
    await this.#device.queue.onSubmittedWorkDone().catch((cause: unknown) => {
      throw new KernelError(kernel.name, null, 'its first launch failed', { cause })
    })
    const begun = Math.max(submitted, this.#ended)
    this.#ended = performance.now()
    return this.#ended - begun
  }
}
