import { ShapeError, UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import type { RgbImage } from '../host/node/decode.ts'
import type { Preprocess } from '../nn/preprocess.ts'
import { type EngineArgument, requireEngine } from '../tensor/engineArgument.ts'
import { allocate } from '../tensor/ndbuffer.ts'
import { type Engine, Tensor } from '../tensor/tensor.ts'
import { normalizationParams, plain, resample } from './resample.ts'
import { type View, windowView } from './view.ts'

export { centerOffset } from './antialias.ts'

/** An image, and what the network is to see of it. */
export interface ViewedImage {
  readonly image: RgbImage
  readonly view: View
}

/**
 * Resizes an image and cuts its middle out, on the GPU: the shorter side becomes `resize`, the
 * longer one is rounded down, with PyTorch's antialiased bilinear filter (F.interpolate,
 * mode='bilinear', antialias=True, align_corners=False).
 * @param image RGB rows
 * @returns [1, 3, size, size], RGB in 0..1
 * @throws ShapeError when the data is not height · width · 3 bytes
 * @throws UsageError when `size` is larger than `resize`, or an option is unknown
 * @example const x = resizeCrop(engine, await decodeImage('ant.jpg'), { resize: 256, size: 224 })
 */
export function resizeCrop<E>(
  engine: E & EngineArgument<E>,
  image: RgbImage,
  options: { readonly resize: number; readonly size: number },
): Tensor
export function resizeCrop(
  engine: Engine,
  image: RgbImage,
  options: { readonly resize: number; readonly size: number },
): Tensor {
  requireEngine('resizeCrop', engine)
  checkOptions('resizeCrop', options, ['resize', 'size'])
  return cutMiddles('resizeCrop', engine, [image], { ...plain, ...options })
}

/**
 * Images as a network wants them: each resized and its middle cut out as by `resizeCrop`, then
 * normalized, on the GPU.
 * @param images RGB rows, of any sizes
 * @returns [N, 3, size, size], in the network's channel order
 * @throws ShapeError when an image's data is not height · width · 3 bytes
 * @throws UsageError without images, or when `size` is larger than `resize`
 * @example const logits = model.forward(preprocessImages(engine, images, model.preprocess))
 */
export function preprocessImages(
  engine: Engine,
  images: readonly RgbImage[],
  preprocess: Preprocess,
): Tensor {
  return cutMiddles('preprocessImages', engine, images, preprocess)
}

/**
 * Images as a network wants them, each seen in a view of its own: resampled as `resizeCrop` does
 * and normalized, on the GPU.
 * @returns [N, 3, size, size], in the network's channel order
 * @throws ShapeError when an image's data is not height · width · 3 bytes
 * @throws UsageError without images
 * @example
 * const view = windowView(image, model.preprocess, () => 0, true)
 * const x = viewImages(engine, [{ image, view }], model.preprocess)
 */
export function viewImages(
  engine: Engine,
  views: readonly ViewedImage[],
  preprocess: Preprocess,
): Tensor {
  return viewed('viewImages', engine, views, preprocess)
}

function cutMiddles(
  name: string,
  engine: Engine,
  images: readonly RgbImage[],
  preprocess: Preprocess,
): Tensor {
  const { resize, size } = preprocess
  checkExtent(name, 'resize', resize)
  checkExtent(name, 'size', size)
  if (size > resize)
    throw new UsageError(
      `${name}: cannot cut ${size} x ${size} out of an image whose shorter side is ${resize}: ` +
        'make resize larger',
    )
  for (const image of images) checkImage(name, image)
  return viewed(
    name,
    engine,
    images.map((image) => ({ image, view: windowView(image, preprocess) })),
    preprocess,
  )
}

function viewed(
  name: string,
  engine: Engine,
  views: readonly ViewedImage[],
  preprocess: Preprocess,
): Tensor {
  const { size } = preprocess
  checkExtent(name, 'size', size)
  if (views.length === 0) throw new UsageError(`${name}: there are no images`)
  for (const { image } of views) checkImage(name, image)
  const normalization = normalizationParams(name, preprocess)
  return filled(engine, views.length, size, (y) => {
    for (const [slot, { image, view }] of views.entries())
      resample(engine.gpu, image, view, size, y.buffer.storage, {
        base: slot * 3 * size * size,
        ...normalization,
      })
  })
}

/** [n, 3, size, size], after `fill` has written it; freed where that throws. */
export function filled(engine: Engine, n: number, size: number, fill: (y: Tensor) => void): Tensor {
  const y = new Tensor(engine, allocate(engine.gpu, [n, 3, size, size]))
  try {
    fill(y)
  } catch (error) {
    y.dispose()
    throw error
  }
  return y
}

/** @throws ShapeError, UsageError unless the image has pixels and as many bytes as they take */
export function checkImage(name: string, { data, width, height }: RgbImage): void {
  checkExtent(name, 'width', width)
  checkExtent(name, 'height', height)
  if (data.length !== 3 * width * height)
    throw new ShapeError(
      `${name}: an image of ${width} x ${height} has ${3 * width * height} bytes of RGB, ` +
        `but ${data.length} were given`,
    )
}

function checkExtent(name: string, what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new UsageError(`${name}: ${what} is ${String(value)}: give a positive integer`)
}
