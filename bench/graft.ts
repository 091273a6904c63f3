import { at } from '../src/base/at.ts'
import type { Gpu } from '../src/gpu/gpu.ts'
import type { Engine } from '../src/index.ts'
import type { Buffers } from '../src/ops/op.ts'
import { allocate, type NdBuffer } from '../src/tensor/ndbuffer.ts'
import { type NdArray, sizeOf } from './arrays.ts'
import type { Contestant } from './contest.ts'

/** Buffers of one row, freed together. */
export class Room {
  readonly engine: Engine
  readonly #held: NdBuffer[] = []

  constructor(engine: Engine) {
    this.engine = engine
  }

  put({ shape, data }: NdArray): NdBuffer {
    const buffer = { storage: this.engine.gpu.upload(data), shape }
    this.#held.push(buffer)
    return buffer
  }

  make(shape: readonly number[]): NdBuffer {
    const buffer = allocate(this.engine.gpu, shape)
    this.#held.push(buffer)
    return buffer
  }

  /** What a forward pass keeps for one gradient. */
  keep<Kept extends Buffers>(forward: (gpu: Gpu) => Kept | null): Kept {
    const { gpu } = this.engine
    return gpu.withScratch(() => {
      const kept = forward(gpu)
      if (!kept) throw new Error('forward kept nothing for this gradient')
      for (const { storage, shape } of Object.values(kept))
        this.#held.push({ storage: storage.retain(), shape })
      return kept
    })
  }

  dispose(): void {
    for (const { storage } of this.#held.splice(0)) storage.release()
    this.engine.gpu.trim()
  }
}

/**
 * Builds a contestant with its own room of buffers; if that fails, the room is emptied.
 */
export function inRoom(engine: Engine, build: (room: Room) => Contestant): Contestant {
  const room = new Room(engine)
  try {
    return build(room)
  } catch (error) {
    room.dispose()
    throw error
  }
}

/**
 * Milliseconds that the kernels launched by `run` take: by the device's timestamps, or by the clock
 * if it has none.
 */
export async function deviceTime({ gpu }: Engine, run: (gpu: Gpu) => void): Promise<number> {
  if (gpu.device.features.has('timestamp-query')) return gpu.time(() => run(gpu))
  gpu.submit()
  await gpu.device.queue.onSubmittedWorkDone()
  const begun = performance.now()
  run(gpu)
  gpu.submit()
  await gpu.device.queue.onSubmittedWorkDone()
  const ms = performance.now() - begun
  await gpu.settle()
  return ms
}

/** Times the kernels that `run` launches; they write to `result`. */
export function onGraft(room: Room, run: (gpu: Gpu) => void, result: NdBuffer): Contestant {
  const { engine } = room
  const once = () => deviceTime(engine, (gpu) => gpu.withScratch(() => run(gpu)))
  return {
    time: once,
    async values() {
      await once()
      const read = [{ storage: result.storage, bytes: 4 * sizeOf(result.shape) }]
      return new Float32Array(at(await engine.gpu.read(read), 0))
    },
    dispose: () => room.dispose(),
  }
}
