import type { AdapterKind, Host } from '../host/host.ts'
import { Gpu } from './gpu.ts'
import { subgroupIsWorkgroup } from './kernels/subgroup.ts'
import { deviceDescriptor, type WantedLimits } from './limits.ts'
import { openTilingSelector } from './tiling/tilingCache.ts'

/**
 * Opens a device, by default with the highest limits and every useful feature of its adapter.
 * @param options.plain run only the plain kernels: slow, and the check of the fast ones
 * @param options.maxBindingBytes bind less at once than the adapter could
 */
export async function openGpu(
  host: Host,
  adapter: GPUAdapter,
  kind: AdapterKind,
  options: {
    readonly plain?: boolean
    readonly limits?: WantedLimits
    readonly maxBindingBytes?: number | undefined
  } = {},
): Promise<Gpu> {
  const [device, shaders] = await Promise.all([
    adapter.requestDevice(deviceDescriptor(adapter, options.limits)),
    host.readShaders(),
  ])
  const gpu = new Gpu(device, kind, host, shaders, options.maxBindingBytes)
  if (options.plain) return gpu
  const { subgroupMinSize: lanes = 0 } = adapter.info // 0 where a browser does not say
  const reliable =
    device.features.has('subgroups') && lanes > 0 && (await subgroupIsWorkgroup(gpu, lanes))
  gpu.tilings = await openTilingSelector(host, adapter, kind, reliable ? lanes : null, shaders)
  return gpu
}
