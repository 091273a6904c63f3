import { chains, copyVectors, multiplyAdd } from '../src/gpu/kernels/probes.ts'
import type { Storage } from '../src/gpu/memory/pool.ts'
import type { Engine } from '../src/index.ts'
import { deviceTime } from './graft.ts'
import { median } from './statistics.ts'

/** Multiply-adds in each chain of the kernel, one depending on the other. */
const STEPS = 4096
const copied = 64 * 2 ** 20
/**
 * Work is doubled until one measurement takes this many milliseconds, so that a slow start and the
 * cost of a launch matter little.
 */
const enough = 8

/** The highest speeds of the device. */
export interface Peak {
  /** Multiply-adds, each counted as two operations, in 10^9 per second. */
  readonly gflops: number
  /**
   * Bytes read and written by a copy of 64 MiB, in 10^9 per second: by a kernel or by the device's
   * copy command, whichever is faster.
   */
  readonly gbps: number
}

/**
 * The device's limits, measured again for each row: the speed of a shared machine changes, so a row
 * is compared with the limits at the same time.
 */
export class Limit {
  readonly #engine: Engine
  readonly #peaks: Peak[] = []
  readonly #x: Storage
  readonly #y: Storage
  readonly #sums: Storage
  #threads = 1 << 13
  #copies = 1

  private constructor(engine: Engine) {
    this.#engine = engine
    const { gpu } = engine
    this.#x = gpu.upload(new Uint8Array(copied)) // written, so that its pages exist
    this.#y = gpu.allocate(copied)
    this.#sums = gpu.allocate(4 << 22)
  }

  /** Warms up and finds out how much work a measurement needs. */
  static async open(engine: Engine): Promise<Limit> {
    const limit = new Limit(engine)
    await limit.#copy()
    while ((await limit.#multiplyAdd()) < enough && limit.#threads < 1 << 22) limit.#threads *= 2
    while ((await limit.#copy()) < enough && limit.#copies < 256) limit.#copies *= 2
    await limit.measure()
    return limit
  }

  /** Both limits now. */
  async measure(): Promise<Peak> {
    const bytes = 2 * copied * this.#copies
    const byKernel = await deviceTime(this.#engine, (gpu) => {
      for (let i = 0; i < this.#copies; i++)
        gpu.run(copyVectors, { x: this.#x, y: this.#y }, { n: copied / 16 })
    })
    const peak = {
      gflops: (2 * chains * STEPS * this.#threads) / (await this.#multiplyAdd()) / 1e6,
      gbps: bytes / Math.min(byKernel, await this.#copy()) / 1e6,
    }
    this.#peaks.push(peak)
    return peak
  }

  /** The medians of all measurements. */
  median(): Peak {
    return medianPeak(this.#peaks)
  }

  dispose(): void {
    for (const storage of [this.#x, this.#y, this.#sums]) storage.release()
  }

  #multiplyAdd(): Promise<number> {
    return deviceTime(this.#engine, (gpu) =>
      gpu.run(multiplyAdd, { y: this.#sums }, { n: this.#threads }, { STEPS }),
    )
  }

  /** Milliseconds of the copy command, by the clock: timestamps exist in compute passes only. */
  async #copy(): Promise<number> {
    const { device } = this.#engine.gpu
    this.#engine.gpu.submit()
    await device.queue.onSubmittedWorkDone()
    const encoder = device.createCommandEncoder()
    for (let i = 0; i < this.#copies; i++)
      encoder.copyBufferToBuffer(this.#x.buffer, 0, this.#y.buffer, 0, copied)
    const begun = performance.now()
    device.queue.submit([encoder.finish()])
    await device.queue.onSubmittedWorkDone()
    return performance.now() - begun
  }
}

export function medianPeak(peaks: readonly Peak[]): Peak {
  return {
    gflops: median(peaks.map(({ gflops }) => gflops)),
    gbps: median(peaks.map(({ gbps }) => gbps)),
  }
}
