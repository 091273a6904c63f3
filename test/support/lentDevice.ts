import type { AdapterChoice, FoundAdapter, Host } from '../../src/host/host.ts'
import { nodeHost } from '../../src/nodeHost.ts'

/** Calls of a device whose results hold no values, and are the same for the same description. */
const timeless = [
  'createShaderModule',
  'createBindGroupLayout',
  'createPipelineLayout',
  'createComputePipeline',
  'createComputePipelineAsync',
] as const

interface Lender {
  readonly device: GPUDevice
  /** What such calls have made, by the call and its description. */
  readonly made: Map<string, unknown>
  /** Numbers for objects that descriptions name. */
  readonly ids: WeakMap<object, number>
}

/**
 * A host whose engines compute on one device where they ask for the same: each takes it as its
 * own, with buffers of its own, but a kernel is compiled once for all of them. A software adapter
 * takes seconds to compile those of a training.
 */
export function lending(host: Host): Host {
  const { requestAdapter } = host
  const lenders = new Map<string, Promise<Lender>>()
  const lent = async (choice: AdapterChoice): Promise<FoundAdapter> => {
    const found = await requestAdapter(choice)
    const requestDevice = async (descriptor?: GPUDeviceDescriptor) => {
      const key = `${found.kind} ${JSON.stringify(descriptor)}`
      const known = lenders.get(key) ?? found.adapter.requestDevice(descriptor).then(lender)
      lenders.set(key, known)
      return lend(await known)
    }
    return { ...found, adapter: seenAs(found.adapter, { requestDevice }) }
  }
  return { ...host, requestAdapter: lent }
}

const { requestAdapter } = nodeHost
export const lentHost = lending(nodeHost)

/** Runs work, such as a command, whose engines are opened on the same device. */
export async function onLentDevice<T>(work: () => Promise<T>): Promise<T> {
  const host = nodeHost as { requestAdapter: Host['requestAdapter'] }
  host.requestAdapter = lentHost.requestAdapter
  try {
    return await work()
  } finally {
    host.requestAdapter = requestAdapter
  }
}

function lender(device: GPUDevice): Lender {
  return { device, made: new Map(), ids: new WeakMap() }
}

function lend({ device, made, ids }: Lender): GPUDevice {
  const buffers: GPUBuffer[] = []
  const listeners: Parameters<GPUDevice['addEventListener']>[] = []
  const own: Record<string, unknown> = {
    createBuffer: (descriptor: GPUBufferDescriptor) => {
      const buffer = device.createBuffer(descriptor)
      buffers.push(buffer)
      return buffer
    },
    addEventListener: (...given: Parameters<GPUDevice['addEventListener']>) => {
      listeners.push(given)
      device.addEventListener(...given)
    },
    destroy: () => {
      for (const buffer of buffers) buffer.destroy()
      for (const [type, listener] of listeners) device.removeEventListener(type, listener)
    },
  }
  for (const call of timeless)
    own[call] = (descriptor: object) => {
      const key = `${call} ${JSON.stringify(descriptor, (_, value) => ids.get(value) ?? value)}`
      if (!made.has(key)) {
        const result: object = Reflect.apply(Reflect.get(device, call), device, [descriptor])
        ids.set(result, made.size)
        made.set(key, result)
      }
      return made.get(key)
    }
  return seenAs(device, own)
}

/**
 * An object of the driver with some members replaced; its own are called on itself. What is set on
 * it, such as a spy, is not set on the driver's.
 */
function seenAs<T extends object>(target: T, members: Readonly<Record<string, unknown>>): T {
  const own: T = Object.assign(Object.create(target), members)
  return new Proxy(own, {
    get: (_, name) => {
      if (Object.hasOwn(own, name)) return Reflect.get(own, name)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
