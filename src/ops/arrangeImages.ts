import type { Gpu } from '../gpu/gpu.ts'
import { planeKernel } from '../gpu/kernels/kernel.ts'
import { type NdBuffer, scratch, shape4 } from '../tensor/ndbuffer.ts'

const arrange = planeKernel<'out_height' | 'out_width' | 'height' | 'width', 'IMAGES_PER_VECTOR'>(
  'contract/arrange',
  (p) => p.out_height * p.out_width,
  {
    cost: (p, { IMAGES_PER_VECTOR }) => ({
      flops: 0,
      bytes: 4 * IMAGES_PER_VECTOR * p.planes * (p.out_height * p.out_width + p.height * p.width),
    }),
  },
)

/** Interleaved images, [vectors, channels, height, width, imagesPerVector]. */
export interface ArrangedImages {
  readonly src: NdBuffer
  readonly height: number
  readonly width: number
  readonly vectors: number
  readonly imagesPerVector: 1 | 4
}

/**
 * How `arrangeImages` interleaves a batch: by four, the last vector filled up with empty images. If
 * more than a quarter of all images would be empty, images are not interleaved.
 */
export function imageVectors(batch: number): Pick<ArrangedImages, 'vectors' | 'imagesPerVector'> {
  const vectors = Math.ceil(batch / 4)
  return batch < 3 * vectors
    ? { vectors: batch, imagesPerVector: 1 }
    : { vectors, imagesPerVector: 4 }
}

/**
 * x [batch, channels, height, width] as images of height · width that begin `top` rows above and
 * `left` columns before those of x: zeros are added around x, or rows and columns cut off if these
 * numbers are negative. Images are interleaved by four. If nothing changes, the result is x itself.
 */
export function arrangeImages(
  gpu: Gpu,
  x: NdBuffer,
  height: number,
  width: number,
  top: number,
  left: number,
): ArrangedImages {
  const [batch, channels, fromHeight, fromWidth] = shape4(x.shape, 'images are [N, C, H, W]')
  const { vectors, imagesPerVector } = imageVectors(batch)
  const same =
    imagesPerVector === 1 && top === 0 && left === 0 && fromHeight === height && fromWidth === width
  if (same) return { src: x, height, width, vectors, imagesPerVector }
  const y = scratch(gpu, [vectors, channels, height, width, imagesPerVector])
  gpu.run(
    arrange,
    { x: x.storage, y: y.storage },
    {
      planes: vectors * channels,
      batch,
      channels,
      height: fromHeight,
      width: fromWidth,
      out_height: height,
      out_width: width,
      top,
      left,
    },
    { IMAGES_PER_VECTOR: imagesPerVector },
  )
  return { src: y, height, width, vectors, imagesPerVector }
}
