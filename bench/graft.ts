import type { Gpu } from '../src/gpu/gpu.ts'
import type { Engine } from '../src/index.ts'
import { allocate, type NdBuffer } from '../src/tensor/ndbuffer.ts'
import type { NdArray } from './arrays.ts'
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

  dispose(): void {
    for (const { storage } of this.#held.splice(0)) storage.release()
    this.engine.gpu.trim()
  }
}

/** Times what `run` launches by the device's timestamps; `result` is where its result lies. */
export function onGraft(room: Room, run: (gpu: Gpu) => void, result: NdBuffer): Contestant {
  const { gpu } = room.engine
  const once = () => gpu.time(() => gpu.withScratch(() => run(gpu)))
  return {
    time: once,
    async values() {
      await once()
      const [bytes] = await gpu.read([{ storage: result.storage, bytes: 4 * result.shape.reduce((a, b) => a * b, 1) }])
      return new Float32Array(bytes ?? new ArrayBuffer(0))
    },
    dispose: () => room.dispose(),
  }
}
