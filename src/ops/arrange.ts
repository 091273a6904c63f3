import type { Gpu } from '../gpu/gpu.ts'
import { planeKernel } from '../gpu/kernels/kernel.ts'
import { type NdBuffer, scratch } from '../tensor/ndbuffer.ts'

const kernel = planeKernel<'out_height' | 'out_width' | 'height' | 'width'>(
  'contract/arrange',
  (p) => p.out_height * p.out_width,
  {
    cost: (p, { FOURS = 1 }) => ({
      flops: 0,
      bytes: 4 * FOURS * p.planes * (p.out_height * p.out_width + p.height * p.width),
    }),
  },
)

/** Images with images in fours: [images / fours, channels, height, width, fours]. */
export interface Arranged {
  readonly src: NdBuffer
  readonly height: number
  readonly width: number
  readonly groups: number
  readonly fours: 1 | 4
}

/**
 * How `arrange` groups a batch: in fours, the last filled up with empty images, unless more than a
 * quarter of all would be empty.
 */
export function imageGroups(batch: number): Pick<Arranged, 'groups' | 'fours'> {
  const groups = Math.ceil(batch / 4)
  return batch < 3 * groups ? { groups: batch, fours: 1 } : { groups, fours: 4 }
}

/**
 * x [batch, channels, height, width] with zeros around it, or rows and columns cut off where top or
 * left are negative, and images in fours. x itself where nothing changes.
 */
export function arrange(
  gpu: Gpu,
  x: NdBuffer,
  height: number,
  width: number,
  top: number,
  left: number,
): Arranged {
  const [batch = 0, channels = 0, fromHeight = 0, fromWidth = 0] = x.shape
  const { groups, fours } = imageGroups(batch)
  const same =
    fours === 1 && top === 0 && left === 0 && fromHeight === height && fromWidth === width
  if (same) return { src: x, height, width, groups, fours }
  const y = scratch(gpu, [groups, channels, height, width, fours])
  gpu.run(
    kernel,
    { x: x.storage, y: y.storage },
    {
      planes: groups * channels,
      batch,
      channels,
      height: fromHeight,
      width: fromWidth,
      out_height: height,
      out_width: width,
      top,
      left,
    },
    { FOURS: fours },
  )
  return { src: y, height, width, groups, fours }
}
