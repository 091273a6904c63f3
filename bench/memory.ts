/** Bytes of all buffers on a device, whoever makes them: the same meter for Graft and for tfjs on Graft's device. */
export interface MemoryMeter {
  /** Begins to watch; the result ends it, and gives the most bytes that were allocated beyond those of the beginning. */
  start(): () => number
}

const meters = new WeakMap<GPUDevice, MemoryMeter>()

/** The meter of a device: from its first use on, every buffer made or destroyed on the device is counted. */
export function meterFor(device: GPUDevice): MemoryMeter {
  const known = meters.get(device)
  if (known) return known
  let live = 0
  const watches = new Set<{ readonly base: number; peak: number }>()
  const create = device.createBuffer.bind(device)
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor)
    live += descriptor.size
    for (const watch of watches) watch.peak = Math.max(watch.peak, live - watch.base)
    const destroy = buffer.destroy.bind(buffer)
    let alive = true
    buffer.destroy = () => {
      if (alive) live -= descriptor.size
      alive = false
      return destroy()
    }
    return buffer
  }
  const meter: MemoryMeter = {
    start() {
      const watch = { base: live, peak: 0 }
      watches.add(watch)
      return () => {
        watches.delete(watch)
        return watch.peak
      }
    },
  }
  meters.set(device, meter)
  return meter
}
