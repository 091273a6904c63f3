import { UsageError } from '../base/errors.ts'

/** Limits asked for at the adapter's highest: what bounds a tensor, a binding, a launch. */
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

/** What to ask of an adapter: the highest limits, and every useful feature. */
export function deviceDescriptor({ limits, features }: GPUAdapter): GPUDeviceDescriptor {
  return {
    requiredFeatures: (['subgroups', 'timestamp-query', 'shader-f16'] as const).filter((feature) =>
      features.has(feature),
    ),
    requiredLimits: Object.fromEntries(raisedLimits.map((name) => [name, limits[name]])),
  }
}

/** What one binding of an adapter may be. */
export interface BindingLimits {
  /** The most bytes. */
  readonly bytes: number
  /** Where a binding may begin: at a multiple of this many bytes. */
  readonly alignment: number
}

/**
 * Small enough for every test of the engine itself to run, large enough for the engine's own check
 * of subgroups.
 */
const leastBytes = 4096

/**
 * A device's limits, lowered on request.
 * @throws UsageError for a wish below 4096, above what the device binds, or no multiple of its
 * alignment
 */
export function bindingLimits(limits: GPUSupportedLimits, maxBindingBytes?: number): BindingLimits {
  const alignment = limits.minStorageBufferOffsetAlignment
  const most =
    Math.floor(Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize) / alignment) *
    alignment
  const bytes = maxBindingBytes ?? most
  if (!(bytes >= leastBytes && bytes <= most && bytes % alignment === 0))
    throw new UsageError(
      `maxBindingBytes is a multiple of ${alignment} from ${leastBytes} to this adapter's ${most}, not ${bytes}`,
    )
  return { bytes, alignment }
}
