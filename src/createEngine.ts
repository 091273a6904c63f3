import { backward } from './autograd/backward.ts'
import { UsageError } from './base/errors.ts'
import { checkOptions } from './base/options.ts'
import type { WantedLimits } from './gpu/limits.ts'
import { openGpu } from './gpu/openGpu.ts'
import type { AdapterChoice, Host } from './host/host.ts'
import { remindOfAwait } from './tensor/engineArgument.ts'
import { Engine, type OpenDevice } from './tensor/tensor.ts'

/** Options of `createEngine`. */
export interface EngineOptions {
  /**
   * Which kind of adapter; 'auto' takes hardware, else lavapipe, else SwiftShader. Default 'auto'.
   */
  readonly adapter?: AdapterChoice
  /** 'plain' runs the naive kernels alone: slow, and the check of the fast ones. Default 'auto'. */
  readonly kernels?: 'auto' | 'plain'
  /**
   * 'default' asks for a device with the limits that WebGPU gives on every machine, and without
   * optional features such as subgroups: to try out here what any browser can run. Default
   * 'adapter': all that the adapter offers.
   */
  readonly limits?: WantedLimits
  /**
   * Binds at most this many bytes at once, where the adapter could bind more: to try out here what
   * another adapter will do with a large network. Tensors above it go to kernels in parts. A
   * multiple of 256. Default: the adapter's own limit.
   */
  readonly maxBindingBytes?: number
}

/** Opens an engine on a host; the package's entries give each its own. */
export function createEngineOn(host: Host, options: EngineOptions = {}): Promise<Engine> {
  return remindOfAwait(open(host, options), Engine)
}

async function open(host: Host, options: EngineOptions): Promise<Engine> {
  checkOptions('createEngine', options, ['adapter', 'kernels', 'limits', 'maxBindingBytes'])
  const {
    adapter: choice = 'auto',
    kernels = 'auto',
    limits = 'adapter',
    maxBindingBytes,
  } = options
  if (kernels !== 'auto' && kernels !== 'plain')
    throw new UsageError(`kernels is 'auto' or 'plain', not '${kernels}'`)
  if (limits !== 'adapter' && limits !== 'default')
    throw new UsageError(`limits is 'adapter' or 'default', not '${limits}'`)
  const openDevice = async (): Promise<OpenDevice> => {
    const { adapter, kind } = await host.requestAdapter(choice)
    const plain = kernels === 'plain'
    const gpu = await openGpu(host, adapter, kind, { plain, limits, maxBindingBytes })
    const { description, device, vendor, architecture } = adapter.info
    const features = [...gpu.device.features].sort()
    return {
      gpu,
      freeBytes: () => host.freeBytes?.(kind) ?? null,
      info: {
        adapter: description || device || kind,
        kind,
        vendor,
        architecture,
        features,
        subgroup: gpu.tilings?.lanes ?? null,
      },
    }
  }
  return new Engine(host, await openDevice(), openDevice, backward)
}
