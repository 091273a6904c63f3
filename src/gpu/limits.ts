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

/** What is requested of an adapter: the highest limits, and every useful feature. */
export function deviceDescriptor({ limits, features }: GPUAdapter): GPUDeviceDescriptor {
  return {
    requiredFeatures: (['subgroups', 'timestamp-query', 'shader-f16'] as const).filter((feature) =>
      features.has(feature),
    ),
    requiredLimits: Object.fromEntries(raisedLimits.map((name) => [name, limits[name]])),
  }
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
