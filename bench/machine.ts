import { arch, availableParallelism, cpus, platform } from 'node:os'
import type { Engine } from '../src/index.ts'

/** The machine that was measured, in enough detail to tune for it on another one. */
export interface Machine {
  readonly platform: string
  readonly node: string
  readonly cpu: string
  readonly cores: number
  readonly gpu: {
    readonly vendor: string
    readonly architecture: string
    readonly device: string
    readonly description: string
  }
  /** Lanes of the smallest and the largest subgroup. */
  readonly subgroups: readonly [number, number]
  /** Lanes of the subgroup that Graft's tiles are made for; null if its plain kernels run. */
  readonly tileLanes: number | null
  readonly features: readonly string[]
  readonly limits: Readonly<Record<string, number>>
}

const limits = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxStorageBuffersPerShaderStage',
] as const

export function describeMachine({ gpu: { device }, info }: Engine): Machine {
  const {
    vendor,
    architecture,
    device: model,
    description,
    subgroupMinSize = 0,
    subgroupMaxSize = 0,
  } = device.adapterInfo
  return {
    platform: `${platform()} ${arch()}`,
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown', // some systems list no CPUs
    cores: availableParallelism(),
    gpu: { vendor, architecture, device: model, description },
    subgroups: [subgroupMinSize, subgroupMaxSize],
    tileLanes: info.subgroup,
    features: info.features,
    limits: Object.fromEntries(limits.map((name) => [name, device.limits[name]])),
  }
}
