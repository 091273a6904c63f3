import { UsageError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { Preprocess } from '../nn/preprocess.ts'
import { centerOffset } from './antialias.ts'
import { type Extent, partView, type Rect, roomyResize, type View, windowView } from './view.ts'

/** From the least to the most. */
export type Range = readonly [number, number]

/**
 * How training images are changed, differently for each image and epoch: the transforms of
 * torchvision, in the order in which they stand here. What is left out does nothing.
 */
export interface Augmentation {
  /**
   * Which part is seen: the 'middle', as in validation; a 'window' of the resized image at a random
   * place (RandomCrop), which has an eighth of the shorter side to move in; or a part that covers a
   * share of the image's area drawn from a range in (0, 1], of an aspect ratio from 3:4 to 4:3,
   * stretched to the input (RandomResizedCrop). Default 'middle'.
   */
  readonly crop?: 'middle' | 'window' | Range
  /** The probability that left and right are exchanged (RandomHorizontalFlip), in 0..1. */
  readonly flip?: number
  /**
   * Degrees that the image is turned by at most, either way, in 0..180; corners are filled with the
   * mean (RandomRotation, bilinear).
   */
  readonly rotation?: number
  /**
   * Brightness, contrast and saturation are multiplied by a factor from 1 − x to 1 + x, at least 0,
   * in random order with hue (ColorJitter).
   */
  readonly brightness?: number
  readonly contrast?: number
  readonly saturation?: number
  /**
   * The share of the color circle by which colors are moved at most, either way, in 0..0.5
   * (ColorJitter).
   */
  readonly hue?: number
  /**
   * The probability that a rectangle of 2 to 33 % of the area, of an aspect ratio from 0.3 to 3.3,
   * is set to the mean (RandomErasing), in 0..1.
   */
  readonly erase?: number
}

/** Augmentations by name, from careful to rough. */
export const augmentations = {
  /** What a photographer might have done a moment later. */
  light: { crop: 'window', flip: 0.5 },
  standard: {
    crop: [0.35, 1],
    flip: 0.5,
    rotation: 10,
    brightness: 0.2,
    contrast: 0.2,
    saturation: 0.2,
  },
  /** For many epochs of everything: networks that would otherwise learn the images by heart. */
  strong: {
    crop: [0.08, 1],
    flip: 0.5,
    rotation: 20,
    brightness: 0.4,
    contrast: 0.4,
    saturation: 0.4,
    hue: 0.1,
    erase: 0.25,
  },
} as const satisfies Readonly<Record<string, Augmentation>>

/** The names of `augmentations`. */
export type AugmentationName = keyof typeof augmentations

/** The largest value of each number, and what is said of it. */
const limits = {
  flip: 1,
  rotation: 180,
  brightness: 10,
  contrast: 10,
  saturation: 10,
  hue: 0.5,
  erase: 1,
} as const

/**
 * A change of color: 'brightness', 'contrast' and 'saturation' by a factor, 'hue' by a share of the
 * circle.
 */
export interface ColorChange {
  readonly kind: 'brightness' | 'contrast' | 'saturation' | 'hue'
  readonly amount: number
}

/** What one image undergoes in one epoch. */
export interface AugmentDraw {
  readonly view: View
  /** Degrees, counter-clockwise. */
  readonly rotation: number
  /** In the order in which they are made. */
  readonly colors: readonly ColorChange[]
  /** In the pixels of the network's input, or null. */
  readonly erased: Rect | null
}

/**
 * An augmentation by its name, by its fields, or, from a command line, by both:
 * `standard,flip=0,crop=0.5-1`; true for 'standard'.
 * @throws UsageError for names that there are not, and numbers out of their range
 * @example augmentationOf('light,rotation=15')   // { crop: 'window', flip: 0.5, rotation: 15 }
 */
export function augmentationOf(value: true | string | Augmentation): Augmentation {
  const augmentation =
    value === true ? augmentations.standard : typeof value === 'string' ? parse(value) : value
  const { crop = 'middle', ...numbers } = augmentation
  if (typeof crop === 'string' ? crop !== 'middle' && crop !== 'window' : !isShare(crop))
    throw new UsageError(
      'augment: crop is middle, window, or a range of shares of the area in (0, 1] ' +
        `such as 0.35-1, not ${String(crop)}`,
    )
  for (const [name, amount] of Object.entries(numbers)) {
    const most = limits[name as keyof typeof limits]
    if (most === undefined)
      throw new UsageError(
        `augment has no field ${name}; it takes crop, ${Object.keys(limits).join(', ')}`,
      )
    if (!(amount >= 0 && amount <= most))
      throw new UsageError(`augment: ${name} is ${amount}: give a number from 0 to ${most}`)
  }
  return augmentation
}

function isShare(range: Range): boolean {
  const [least, most] = range
  return range.length === 2 && least > 0 && most <= 1 && least <= most
}

function parse(text: string): Augmentation {
  const merged: Record<string, unknown> = {}
  for (const word of text.split(',')) {
    const [name = '', value] = word.split('=').map((part) => part.trim())
    if (value === undefined) {
      if (!Object.hasOwn(augmentations, name))
        throw new UsageError(
          `there is no augmentation '${name}'; ` +
            `there are ${Object.keys(augmentations).join(', ')}, ` +
            'and fields such as flip=0.5,rotation=15',
        )
      Object.assign(merged, augmentations[name as AugmentationName])
    } else if (name === 'crop')
      merged.crop = /^[\d.]+-[\d.]+$/.test(value) ? value.split('-').map(Number) : value
    else merged[name] = value === '' ? Number.NaN : Number(value)
  }
  return merged
}

/**
 * Draws what one image undergoes. The random numbers are taken in a fixed order, so that a draw
 * depends on the stream, the image's extent and the augmentation only: it is the same on every
 * adapter.
 * @example
 * const random = new Random(seed, stream)
 * drawAugmentation(random, augmentationOf('standard'), image, model.preprocess)
 */
export function drawAugmentation(
  random: Random,
  augmentation: Augmentation,
  extent: Extent,
  { resize, size }: Preprocess,
): AugmentDraw {
  const { crop = 'middle', flip = 0, rotation = 0, erase = 0 } = augmentation
  const view = drawView(random, crop, extent, { resize, size })
  return {
    view: random.uniform() < flip ? { ...view, flip: true } : view,
    rotation: rotation > 0 ? between(random, [-rotation, rotation]) : 0,
    colors: drawColors(random, augmentation),
    erased: erase > 0 && random.uniform() < erase ? drawErased(random, size) : null,
  }
}

function drawView(
  random: Random,
  crop: NonNullable<Augmentation['crop']>,
  extent: Extent,
  { resize, size }: Pick<Preprocess, 'resize' | 'size'>,
): View {
  if (crop === 'middle') return windowView(extent, { resize, size })
  if (crop === 'window')
    return windowView(extent, { resize: roomyResize(resize, size), size }, (room) =>
      random.below(room + 1),
    )
  return partView(drawPart(random, extent, crop, [3 / 4, 4 / 3]) ?? middlePart(extent), size)
}

/**
 * A rectangle inside `extent` of a share of its area and an aspect ratio, ratios and their inverses
 * equally likely; null after ten that do not fit.
 */
function drawPart(
  random: Random,
  { height, width }: Extent,
  share: Range,
  ratio: Range,
): Rect | null {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = height * width * between(random, share)
    const aspect = Math.exp(between(random, [Math.log(ratio[0]), Math.log(ratio[1])]))
    const [w, h] = [Math.round(Math.sqrt(area * aspect)), Math.round(Math.sqrt(area / aspect))]
    if (w > 0 && h > 0 && w <= width && h <= height)
      return {
        top: random.below(height - h + 1),
        left: random.below(width - w + 1),
        height: h,
        width: w,
      }
  }
  return null
}

/** The largest middle part of an aspect ratio from 3:4 to 4:3. */
function middlePart({ height, width }: Extent): Rect {
  const h = Math.min(height, Math.max(1, Math.round((width * 4) / 3)))
  const w = Math.min(width, Math.max(1, Math.round((height * 4) / 3)))
  return { top: centerOffset(height, h), left: centerOffset(width, w), height: h, width: w }
}

function drawColors(
  random: Random,
  { brightness = 0, contrast = 0, saturation = 0, hue = 0 }: Augmentation,
): ColorChange[] {
  const factor = (most: number) => between(random, [Math.max(0, 1 - most), 1 + most])
  const changes: ColorChange[] = [
    ...(brightness > 0 ? [{ kind: 'brightness', amount: factor(brightness) } as const] : []),
    ...(contrast > 0 ? [{ kind: 'contrast', amount: factor(contrast) } as const] : []),
    ...(saturation > 0 ? [{ kind: 'saturation', amount: factor(saturation) } as const] : []),
    ...(hue > 0 ? [{ kind: 'hue', amount: between(random, [-hue, hue]) } as const] : []),
  ]
  random.shuffle(changes)
  return changes
}

function drawErased(random: Random, size: number): Rect | null {
  return drawPart(random, { height: size, width: size }, [0.02, 0.33], [0.3, 3.3])
}

function between(random: Random, [least, most]: Range): number {
  return least + (most - least) * random.uniform()
}
