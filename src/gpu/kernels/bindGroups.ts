import { GraftError, ShapeError } from '../../base/errors.ts'
import { bytes as formatBytes } from '../../base/format.ts'
import type { BindingLimits } from '../limits.ts'
import { type Bindable, storageOf } from '../memory/windows.ts'
import type { CompiledKernel } from './pipelines.ts'

/** The storages a launch binds, whole or in part, by the names the shader gives them. */
export type Bindings = Readonly<Record<string, Bindable>>

/** The most bind groups that are kept; a training step uses about a hundred. */
const groupLimit = 8192

/**
 * Notes that the command encoder `serial` uses these storages.
 * @throws ShapeError where one is larger than one binding
 */
export function useBindings(
  limits: BindingLimits,
  kernel: string,
  bindings: Bindings,
  serial: number,
): void {
  for (const name in bindings) {
    const bound = bindings[name]
    if (!bound) continue
    if (bound.bytes > limits.bytes)
      throw new ShapeError(
        `${kernel}: ${name} takes ${formatBytes(bound.bytes)}, more than the ` +
          `${formatBytes(limits.bytes)} this adapter binds at once; ` +
          'use a smaller batch or narrower layers',
      )
    storageOf(bound).usedIn = serial
  }
}

/**
 * Bind groups by the identity of the buffers they bind: a step that gets the same buffers as the
 * one before creates none.
 */
export class BindGroups {
  readonly #device: GPUDevice
  readonly #groups = new Map<string, GPUBindGroup>()

  constructor(device: GPUDevice) {
    this.#device = device
  }

  /**
   * The group that binds these storages to a kernel.
   * @throws GraftError where names do not match the shader
   */
  get(compiled: CompiledKernel, bindings: Bindings, layer: string | null): GPUBindGroup {
    const declared = compiled.source.interface.bindings
    let key = `${compiled.layout.id}`
    for (const { name } of declared) {
      const bound = bindings[name]
      if (!bound) throw new GraftError('shader', `${compiled.name}: nothing is bound to ${name}`)
      key +=
        'offset' in bound
          ? `,${bound.storage.id}:${bound.bytes}@${bound.offset}`
          : `,${bound.id}:${bound.bytes}`
    }
    if (Object.keys(bindings).length !== declared.length)
      throw new GraftError('shader', `${compiled.name}: bindings the shader does not have`)
    const known = this.#groups.get(key)
    if (known) return known
    if (this.#groups.size >= groupLimit) this.#groups.clear()
    const group = this.#device.createBindGroup({
      label: `${compiled.name}${layer ? ` in ${layer}` : ''}`,
      layout: compiled.layout.bindGroupLayout,
      entries: declared.map(({ name, binding }) => ({
        binding,
        resource: resource(bindings[name] as Bindable),
      })),
    })
    this.#groups.set(key, group)
    return group
  }

  /** Forgets every group: buffers they bind were destroyed. */
  clear(): void {
    this.#groups.clear()
  }
}

function resource(bound: Bindable): GPUBufferBinding {
  return 'offset' in bound
    ? { buffer: bound.storage.buffer, offset: bound.offset, size: bound.bytes }
    : { buffer: bound.buffer, size: bound.bytes }
}
