import { UsageError } from '../base/errors.ts'

/** Limits requested at the adapter's maximum: those of a tensor, a binding, a launch. */
const raisedLimits = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
] as const

/** TypeScript's WebGPU types do not know 'subgroup-size-control' yet. */
const wantedFeatures = [
  'subgroups',
  'subgroup-size-control',
  'timestamp-query',
  'shader-f16',
] as readonly string[] as readonly GPUFeatureName[]

/**
 * What is requested of a device: the highest limits and every useful feature of its adapter, or
 * those that WebGPU's specification gives every device, without any feature.
 */
export type WantedLimits = 'adapter' | 'default'

/** The request for such a device. */
export function deviceDescriptor(
  { limits, features }: GPUAdapter,
  wanted: WantedLimits = 'adapter',
): GPUDeviceDescriptor {
  if (wanted === 'default') return {}
  return {
    requiredFeatures: wantedFeatures.filter((feature) => features.has(feature)),
    requiredLimits: Object.fromEntries(raisedLimits.map((name) => [name, limits[name]])),
  }
}

/**
 * The size of a subgroup to ask for, where a device has subgroups of 32 and of 64 threads: AMD's
 * GPUs, whose driver would choose 64. With 32, a thread may have twice as many registers, and
 * RDNA 3 issues two multiply-adds at a time. Null where the driver's choice is the only one, or the
 * better one.
 */
export function subgroupSizeToAsk({ features, adapterInfo }: GPUDevice): 32 | null {
  const { subgroupMinSize, subgroupMaxSize } = adapterInfo
  const choice = subgroupMinSize === 32 && subgroupMaxSize === 64
  return choice && features.has('subgroup-size-control' as GPUFeatureName) ? 32 : null
}

/** How large one binding may be, and where it may begin. */
export interface BindingLimits {
  /** The most bytes of one binding. */
  readonly bytes: number
  /** A binding begins at a multiple of this many bytes. */
  readonly alignment: number
}

/** The lowest limit that may be requested: the engine's own check of subgroups needs so much. */
const leastBytes = 4096

/**
 * The limits of a device, lowered on request.
 * @throws UsageError where `maxBindingBytes` is below 4096, above the device's own limit, or not a
 * multiple of its alignment
 */
export function bindingLimits(limits: GPUSupportedLimits, maxBindingBytes?: number): BindingLimits {
  const alignment = limits.minStorageBufferOffsetAlignment
  const most =
    Math.floor(Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize) / alignment) *
    alignment
  const bytes = maxBindingBytes ?? most
  if (!(bytes >= leastBytes && bytes <= most && bytes % alignment === 0))
    throw new UsageError(
      `maxBindingBytes is a multiple of ${alignment} from ${leastBytes} to this adapter's ` +
        `${most}, not ${bytes}`,
    )
  return { bytes, alignment }
}
