import { GraftError } from '../../base/errors.ts'
import type { Params, ShaderInterface } from '../kernels/kernel.ts'

/** Bytes between two slots: the largest alignment that WebGPU may require of a dynamic offset. */
const slotBytes = 256
const slots = 1024

/**
 * The params of every launch between two submits, side by side in one uniform buffer that is
 * written once per submit.
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

  /** Whether the encoded work must be submitted before another launch. */
  get full(): boolean {
    return this.#used === slots
  }

  /**
   * Writes a launch's params into the next slot.
   * @returns the slot's offset in bytes
   * @throws GraftError where names do not match
   */
  write(name: string, fields: ShaderInterface['params'], params: Params): number {
    const offset = this.#used * slotBytes
    writeParams(this.#view, offset, name, fields, params)
    this.#used++
    return offset
  }

  /** Copies the slots to the device, ahead of the submit that reads them, and empties the ring. */
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

/** Writes params into their slot, in the order of the struct, four bytes each. */
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
    const position = offset + 4 * i
    if (field.type === 'f32') view.setFloat32(position, value, true)
    else if (field.type === 'i32') view.setInt32(position, value, true)
    else view.setUint32(position, value, true)
  }
  if (Object.keys(params).length !== fields.length) {
    const known = new Set(fields.map((field) => field.name))
    const extra = Object.keys(params).filter((key) => !known.has(key))
    throw new GraftError('shader', `${name}: the shader has no parameter ${extra.join(', ')}`)
  }
}
