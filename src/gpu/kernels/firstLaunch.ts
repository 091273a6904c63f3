import { KernelError } from '../../base/errors.ts'
import type { CompiledKernel, PipelineCache, Uncompiled } from './pipelines.ts'

/**
 * Bytes that each binding sees: enough for one element of any array, at the alignment that every
 * device takes.
 */
const window = 256
const bindings = 16

/**
 * Launches kernels with nothing to do. A driver for the CPU makes machine code of a pipeline when
 * it is first launched, one after the other and at half a second each for the large ones: this way
 * it does so while other pipelines are still being made, and progress is told of it.
 */
export class FirstLaunches {
  readonly #device: GPUDevice
  readonly #pipelines: PipelineCache
  readonly #params: GPUBindGroup
  readonly #read: GPUBuffer
  readonly #written: GPUBuffer
  /** When the last one ended. */
  #ended = 0

  constructor(device: GPUDevice, pipelines: PipelineCache) {
    this.#device = device
    this.#pipelines = pipelines
    const make = (usage: GPUBufferUsageFlags) =>
      device.createBuffer({ label: 'first launches', size: window * bindings, usage })
    const zeros = make(GPUBufferUsage.UNIFORM) // counts and extents of nothing
    this.#read = make(GPUBufferUsage.STORAGE)
    this.#written = make(GPUBufferUsage.STORAGE)
    const resource = { buffer: zeros, size: window }
    const layout = pipelines.paramsLayout
    this.#params = device.createBindGroup({
      label: 'first launches',
      layout,
      entries: [{ binding: 0, resource }],
    })
  }

  /**
   * Compiles a kernel, and launches it.
   * @param compiled where it is being compiled already
   * @returns the milliseconds that the device took for the launch, once it has run
   * @throws KernelError where one or the other fails
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
        offset: binding * window,
        size: window,
      },
    }))
    const encoder = this.#device.createCommandEncoder({ label: 'first launch' })
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
