import { GraftError } from '../../base/errors.ts'
import type { Params, ShaderInterface } from '../kernels/kernel.ts'

/** Bytes between two slots: the largest alignment WebGPU may ask of a dynamic offset. */
const slotBytes = 256
const slots = 1024

/**
 * The params of every launch between two submits, side by side in one uniform buffer that is
 * written once.
 */
export class ParamsRing {
  /** Binds one slot, by dynamic offset. */
  readonly group: GPUBindGroup
  readonly #device: GPUDevice
  readonly #buffer: GPUBuffer
  readonly #view = new DataView(new ArrayBuffer(slots * slotBytes))
  #used = 0

  constructor(device: GPUDevice, layout: GPUBindGroupLayout) {
    this.#device = device
    this.#buffer = device.createBuffer({
      label: 'params',
      size: slots * slotBytes,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    })
    this.group = device.createBindGroup({
      label: 'params',
      layout,
      entries: [{ binding: 0, resource: { buffer: this.#buffer, size: slotBytes } }],
    })
  }

  /** Whether what is encoded has to be submitted before another launch. */
  get full(): boolean {
    return this.#used === slots
  }

  /**
   * Puts down a launch's params. Returns the offset of their slot. @throws GraftError where names
   * do not match
   */
  write(name: string, fields: ShaderInterface['params'], params: Params): number {
    const offset = this.#used * slotBytes
    writeParams(this.#view, offset, name, fields, params)
    this.#used++
    return offset
  }

  /** Hands the slots to the device, ahead of the submit that reads them, and begins anew. */
  flush(): void {
    if (this.#used > 0)
      this.#device.queue.writeBuffer(
        this.#buffer,
        0,
        this.#view.buffer as ArrayBuffer,
        0,
        this.#used * slotBytes,
      )
    this.#used = 0
  }
}

/**
 * Writes params into their slot of the uniform ring, in the struct's order, four bytes each. Throws
 * where names do not match.
 */
function writeParams(
  view: DataView,
  offset: number,
  name: string,
  fields: ShaderInterface['params'],
  params: Params,
): void {
  for (const [i, field] of fields.entries()) {
    const value = params[field.name]
    if (value === undefined)
      throw new GraftError('shader', `${name}: no value for the parameter ${field.name}`)
    const at = offset + 4 * i
    if (field.type === 'f32') view.setFloat32(at, value, true)
    else if (field.type === 'i32') view.setInt32(at, value, true)
    else view.setUint32(at, value, true)
  }
  if (Object.keys(params).length !== fields.length) {
    const known = new Set(fields.map((field) => field.name))
    const extra = Object.keys(params).filter((key) => !known.has(key))
    throw new GraftError('shader', `${name}: the shader has no parameter ${extra.join(', ')}`)
  }
}
