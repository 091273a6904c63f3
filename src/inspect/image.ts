import type { RgbImage } from '../host/host.ts'

/**
 * An image for when none is given: a slope of colors with a bright disc and a dark square, so that
 * edges of all kinds are in it.
 */
export function testImage(side = 256): RgbImage {
  const data = new Uint8Array(3 * side * side)
  for (let row = 0; row < side; row++)
    for (let column = 0; column < side; column++) {
      const [u, v] = [column / side, row / side]
      const disc = Math.hypot(u - 0.35, v - 0.4) < 0.22
      const square = Math.abs(u - 0.7) < 0.14 && Math.abs(v - 0.68) < 0.14
      const rgb = disc
        ? [240, 200, 60]
        : square
          ? [30, 50, 90]
          : [60 + 140 * u, 90 + 110 * v, 190 - 120 * u * v]
      data.set(rgb, 3 * (row * side + column))
    }
  return { data, width: side, height: side }
}
