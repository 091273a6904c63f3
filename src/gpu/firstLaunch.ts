import type { CompiledKernel } from './pipelines.ts'

/** Bytes that each binding sees: enough for one element of any array, at the alignment that every device takes. */
const window = 256
const bindings = 16

/**
 * Launches kernels with nothing to do. A driver for the CPU makes machine code of a pipeline when it is first launched, one after the
 * other and at half a second each for the large ones: this way it does so while other pipelines are still being made, and progress is
 * told of it.
 */
export class FirstLaunches {
  readonly #device: GPUDevice
  readonly #params: GPUBindGroup
  readonly #read: GPUBuffer
  readonly #written: GPUBuffer

  constructor(device: GPUDevice, paramsLayout: GPUBindGroupLayout) {
    this.#device = device
    const make = (usage: GPUBufferUsageFlags) => device.createBuffer({ label: 'first launches', size: window * bindings, usage })
    const zeros = make(GPUBufferUsage.UNIFORM) // counts and extents of nothing
    this.#read = make(GPUBufferUsage.STORAGE)
    this.#written = make(GPUBufferUsage.STORAGE)
    const resource = { buffer: zeros, size: window }
    this.#params = device.createBindGroup({ label: 'first launches', layout: paramsLayout, entries: [{ binding: 0, resource }] })
  }

  /** Resolves once the kernel has run. */
  async launch({ source, layout, pipeline }: Pick<CompiledKernel, 'source' | 'layout' | 'pipeline'>): Promise<void> {
    const entries = source.interface.bindings.map(({ binding, writable }) => ({
      binding,
      resource: { buffer: writable ? this.#written : this.#read, offset: binding * window, size: window },
    }))
    const encoder = this.#device.createCommandEncoder({ label: 'first launch' })
    const pass = encoder.beginComputePass()
    pass.setPipeline(pipeline)
    pass.setBindGroup(0, this.#device.createBindGroup({ layout: layout.bindGroupLayout, entries }))
    pass.setBindGroup(1, this.#params, [0])
    pass.dispatchWorkgroups(1)
    pass.end()
    this.#device.queue.submit([encoder.finish()])
    await this.#device.queue.onSubmittedWorkDone()
  }
}
