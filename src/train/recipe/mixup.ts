import { randomBeta } from 'd3-random'
import { at } from '../../base/at.ts'
import { Random } from '../../base/random.ts'
import { mixRows } from '../../ops/mix.ts'
import { allocate } from '../../tensor/ndbuffer.ts'
import { Tensor } from '../../tensor/tensor.ts'
import type { Batch } from '../batches.ts'

/** The first random stream of mixup: the ones below are for orders and augmentation. */
const firstStream = 2 ** 50

/** Images mixed with others of their batch, and the target probabilities of their classes. */
export interface MixedBatch {
  /** The caller has to dispose of it. */
  readonly x: Tensor
  /** [N · classes] */
  readonly targets: Float32Array
}

/**
 * Mixes each row of a batch with another one, and their targets in the same way (Zhang et al. 2018,
 * arXiv:1710.09412). As in fastai, each row has its own share, drawn from Beta(alpha, alpha), and
 * its own image has the larger share, so that the batch's labels still name what is mostly seen.
 * @param pass seeds the draw together with `seed`; the draw is the same on every adapter
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
  for (const [row, share] of shares.entries()) {
    const own = row * classes + at(targets, row)
    const other = row * classes + at(targets, at(partners, row))
    mixedTargets[own] = at(mixedTargets, own) + share
    mixedTargets[other] = at(mixedTargets, other) + (1 - share)
  }
  const y = allocate(gpu, x.shape)
  const [partnersOnGpu, sharesOnGpu] = [gpu.upload(partners), gpu.upload(shares)]
  mixRows(gpu, x.buffer, partnersOnGpu, sharesOnGpu, y)
  partnersOnGpu.release()
  sharesOnGpu.release()
  return { x: new Tensor(x.engine, y), targets: mixedTargets }
}
