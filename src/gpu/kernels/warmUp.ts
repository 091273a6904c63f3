import type { AdapterKind, Host } from '../../host/host.ts'
import { deviceDescriptor } from '../limits.ts'
import { EmptyLauncher } from './emptyLauncher.ts'
import { PipelineCache, type Uncompiled } from './pipelines.ts'
import { type Helper, SharedWarmUp } from './sharedWarmUp.ts'

/**
 * Compiles kernels side by side. Where the CPU is the device, also launches each once with nothing
 * to do, since its driver makes machine code only then.
 * @param onProgress called after each kernel with how many are ready, out of how many
 * @throws KernelError for a kernel that does not compile
 */
export async function compileAndWarmUp(
  kernels: readonly Uncompiled[],
  {
    device,
    pipelines,
    kind,
    host,
  }: { device: GPUDevice; pipelines: PipelineCache; kind: AdapterKind; host: Host },
  onProgress?: (done: number, total: number) => void,
): Promise<void> {
  let done = 0
  const onReady = () => onProgress?.(++done, kernels.length)
  if (kind === 'hardware') {
    await Promise.all(kernels.map((kernel) => pipelines.compile(kernel).then(onReady)))
    return
  }
  const launcher = new EmptyLauncher(device, pipelines)
  if (kind === 'lavapipe' && host.cores > 1) {
    const shared = new SharedWarmUp(launcher, () => openHelper(host, kind))
    await shared.run(kernels, pipelines, onReady)
    return
  }
  await Promise.all(kernels.map((kernel) => launcher.launch(kernel).then(onReady)))
}

async function openHelper(host: Host, kind: AdapterKind): Promise<Helper> {
  const { adapter } = await host.requestAdapter(kind)
  const device = await adapter.requestDevice(deviceDescriptor(adapter))
  const pipelines = new PipelineCache(device, new Map(), () => {})
  return { launcher: new EmptyLauncher(device, pipelines), dispose: () => device.destroy() }
}
