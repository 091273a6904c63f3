import { randomBeta } from 'd3-random'
import { Random } from '../../base/random.ts'
import { mixRows } from '../../ops/mix.ts'
import { allocate } from '../../tensor/ndbuffer.ts'
import { Tensor } from '../../tensor/tensor.ts'
import type { Batch } from '../batches.ts'

/** The random streams of mixup, apart from those of orders and augmentation. */
const firstStream = 2 ** 50

/** Images mixed with others of their batch, and the probabilities of their classes. */
export interface MixedBatch {
  /** The receiver disposes of it. */
  readonly x: Tensor
  /** [N · classes] */
  readonly targets: Float32Array
}

/**
 * Mixes each row of a batch with another one, and their targets alike (Zhang et al. 2018,
 * arXiv:1710.09412). As in fastai, each row has a share of its own, drawn from Beta(alpha, alpha),
 * and its own image is the larger part, so that the batch's labels still say what is mostly seen.
 * @param pass seeds the draw together with `seed`: the same on every adapter
 */
export function mixup(
  { x, targets }: Batch,
  classes: number,
  alpha: number,
  seed: number,
  pass: number,
): MixedBatch {
  const { gpu } = x.engine
  const rows = targets.length
  const random = new Random(seed, firstStream + pass)
  const partners = Int32Array.from({ length: rows }, (_, i) => i)
  random.shuffle(partners)
  const beta = randomBeta.source(() => random.uniform())(alpha, alpha)
  const shares = Float32Array.from({ length: rows }, () => {
    const share = beta()
    return Math.max(share, 1 - share)
  })
  const mixedTargets = new Float32Array(rows * classes)
  for (let row = 0; row < rows; row++) {
    const [own, other] = [
      row * classes + (targets[row] ?? 0),
      row * classes + (targets[partners[row] ?? 0] ?? 0),
    ]
    const share = shares[row] ?? 1
    mixedTargets[own] = (mixedTargets[own] ?? 0) + share
    mixedTargets[other] = (mixedTargets[other] ?? 0) + (1 - share)
  }
  const y = allocate(gpu, x.shape)
  const uploads = [gpu.upload(partners), gpu.upload(shares)] as const
  mixRows(gpu, x.buffer, uploads[0], uploads[1], y)
  for (const storage of uploads) storage.release()
  return { x: new Tensor(x.engine, y), targets: mixedTargets }
}
