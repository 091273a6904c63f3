import { centerOffset, resizedExtent } from './antialias.ts'

/** In pixels. */
export interface Extent {
  readonly height: number
  readonly width: number
}

/** In pixels from the upper left corner. */
export interface Rect extends Extent {
  readonly top: number
  readonly left: number
}

/** The square that a network sees of an image: a window of a part of it, resized. */
export interface View {
  /**
   * The part of the image that is used, in the image's own pixels; pixels outside are not read.
   */
  readonly part: Rect
  /** What the part is resized to. */
  readonly resized: Extent
  /** Where the window begins in the resized part. */
  readonly top: number
  readonly left: number
  /** Whether it is mirrored, left to right. */
  readonly flip: boolean
}

/**
 * A window of the whole image, whose shorter side becomes `resize`.
 * @param place gives the window's start on an axis from the room it has there, which is not
 * negative because `resize` is at least `size`
 */
export function windowView(
  { height, width }: Extent,
  { resize, size }: { readonly resize: number; readonly size: number },
  place: (room: number) => number = (room) => centerOffset(room + size, size),
  flip = false,
): View {
  const resized = resizedExtent(height, width, resize)
  const [top, left] = [place(resized.height - size), place(resized.width - size)]
  return { part: { top: 0, left: 0, height, width }, resized, top, left, flip }
}

/** A part of the image, stretched to fill the window. */
export function partView(part: Rect, size: number, flip = false): View {
  return { part, resized: { height: size, width: size }, top: 0, left: 0, flip }
}

/** The most views of an image in test-time augmentation: see `testViews`. */
export const mostViews = 10

/**
 * Views for test-time augmentation, the first `count` of ten: the center that validation sees and
 * its mirror image, then the four corners, each followed by its mirror image. For the corners the
 * shorter side is at least 8/7 of `size`. Source: the ten patches of
 * Krizhevsky, Sutskever & Hinton, "ImageNet classification with deep convolutional neural
 * networks", 2012.
 * @param count 1 to 10
 */
export function testViews(
  extent: Extent,
  { resize, size }: { readonly resize: number; readonly size: number },
  count: number,
): View[] {
  const middle = windowView(extent, { resize, size })
  const wide = { resize: roomyResize(resize, size), size }
  const corner = (bottom: boolean, right: boolean): View => {
    const view = windowView(extent, wide, () => 0)
    return {
      ...view,
      top: bottom ? view.resized.height - size : 0,
      left: right ? view.resized.width - size : 0,
    }
  }
  const places = [
    middle,
    corner(false, false),
    corner(false, true),
    corner(true, false),
    corner(true, true),
  ]
  return places.flatMap((view) => [view, { ...view, flip: true }]).slice(0, count)
}

/**
 * The length of the shorter side if a window needs room to move: as torchvision's 256 for 224.
 */
export function roomyResize(resize: number, size: number): number {
  return Math.max(resize, Math.round((size * 8) / 7))
}
