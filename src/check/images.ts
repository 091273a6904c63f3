/** The kernels that resize, cut, augment and normalize images. */
import { at } from '../base/at.ts'
import { Random } from '../base/random.ts'
import { augmentationOf, drawAugmentation } from '../data/augment.ts'
import { augmentImages } from '../data/augmentImages.ts'
import { preprocessImages } from '../data/transforms.ts'
import { caffeNormalization, imageNetNormalization } from '../nn/alexnet.ts'
import type { Preprocess } from '../nn/preprocess.ts'
import { augment } from '../reference/augment.ts'
import { between, randomImage } from '../reference/random.ts'
import { cropFlipNormalize, resizeCrop } from '../reference/resizeCrop.ts'
import { type CheckCase, finding, type Subject } from './subject.ts'

const imageNet: Preprocess = {
  size: 8,
  resize: 9,
  ...imageNetNormalization,
}
const caffe: Preprocess = {
  size: 8,
  resize: 9,
  ...caffeNormalization,
}

/**
 * Two images that are resized, cut and normalized, and two that are also cropped, flipped, rotated,
 * changed in color and erased in part.
 */
function imageCase(width: number, height: number, seed: number): CheckCase {
  const preprocess = seed % 2 ? imageNet : caffe
  const { size, scale, std } = preprocess
  return {
    description: `image ${width} x ${height}, ${preprocess.order}`,
    async run(engine) {
      const image = randomImage(width, height, seed)
      const draws = [1, 2].map((stream) =>
        drawAugmentation(new Random(seed, stream), everyChange, image, preprocess),
      )
      const plain = preprocessImages(engine, [image, image], preprocess)
      const augmented = augmentImages(engine, [image, image], draws, preprocess)
      const read = await engine.read([plain, augmented])
      for (const tensor of [plain, augmented]) tensor.dispose()
      const whole = cropFlipNormalize(resizeCrop(image, preprocess), {
        ...preprocess,
        top: 0,
        left: 0,
        flip: false,
      })
      const tolerance = { relative: 1e-5, absolute: (4e-6 * scale) / Math.min(...std) }
      const expected = draws.flatMap((draw) => [...augment(image, draw, preprocess)])
      return [
        finding(
          'resize and cut',
          at(read, 0),
          [...whole.data, ...whole.data],
          [2, 3, size, size],
          tolerance,
        ),
        finding('augment', at(read, 1), expected, [2, 3, size, size], tolerance),
      ]
    },
  }
}

const everyChange = augmentationOf({
  crop: [0.3, 1],
  flip: 0.5,
  rotation: 30,
  brightness: 0.4,
  contrast: 0.4,
  saturation: 0.4,
  hue: 0.1,
  erase: 0.5,
})

export const imageSubject: Subject = {
  name: 'transforms',
  kernels: ['fast'],
  checks: [],
  tolerance:
    'Values in 0..1 carry the rounding of a few dozen operations, and the point that a rotation ' +
    'reads from is off by up to 2e-6 pixels; normalization divides by a deviation, or ' +
    'multiplies by 255.',
  cases: (random, drawn) => [
    imageCase(9, 9, 1),
    imageCase(31, 20, 2),
    imageCase(5, 64, 3),
    imageCase(211, 90, 4),
    ...Array.from({ length: drawn }, () =>
      imageCase(between(random, 1, 90), between(random, 1, 90), random.below(2 ** 20)),
    ),
  ],
}
