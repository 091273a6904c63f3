import type { AdapterKind, Host } from '../../host/host.ts'
import { deviceDescriptor } from '../limits.ts'
import { FirstLaunches } from './firstLaunch.ts'
import { PipelineCache, type Uncompiled } from './pipelines.ts'
import { type Helper, SharedLaunches } from './sharedLaunches.ts'

/**
 * Compiles kernels side by side, and does what else the first launch of each would be late for.
 * @param onProgress told after each one how many are ready, out of how many
 * @throws KernelError for one that does not compile
 */
export async function makeReady(
  kernels: readonly Uncompiled[],
  {
    device,
    pipelines,
    kind,
    platform,
  }: { device: GPUDevice; pipelines: PipelineCache; kind: AdapterKind; platform: Host },
  onProgress?: (done: number, total: number) => void,
): Promise<void> {
  let done = 0
  const onReady = () => onProgress?.(++done, kernels.length)
  if (kind === 'hardware') {
    await Promise.all(kernels.map((kernel) => pipelines.compile(kernel).then(onReady)))
    return
  }
  const launches = new FirstLaunches(device, pipelines)
  if (kind === 'lavapipe' && platform.cores > 1) {
    await new SharedLaunches(launches, () => openHelper(platform, kind)).run(
      kernels,
      pipelines,
      onReady,
    )
    return
  }
  await Promise.all(kernels.map((kernel) => launches.launch(kernel).then(onReady)))
}

async function openHelper(platform: Host, kind: AdapterKind): Promise<Helper> {
  const { adapter } = await platform.requestAdapter(kind)
  const device = await adapter.requestDevice(deviceDescriptor(adapter))
  const pipelines = new PipelineCache(device, new Map(), () => {})
  return { launches: new FirstLaunches(device, pipelines), dispose: () => device.destroy() }
}
