import { colors } from './tokens.ts'

/**
 * Graft's mark on a square of 32: a scion with two leaves, its foot cut to a wedge, in the cleft of
 * the stock below. One color, and nothing thinner than a pixel at 16 pixels.
 */
export const markPaths = [
  // The stock.
  'M7.5 31V16L16 26.5 24.5 16v15z',
  // The scion: its foot, and its leaves, the right one higher.
  'M11 15h10l-5 7z',
  'M14.8 13.5C7.5 13.5 3.5 10.5 2.5 4.5c7.3 0 12.3 3 12.3 9z',
  'M17.2 13.5c0-8 4-12 12.3-12.5 0 8-4.3 12.5-12.3 12.5z',
] as const

/** The mark in the accent of light or dark pages, as an SVG document. */
export function markSvg(scheme: 'light' | 'dark'): string {
  const [light, dark] = colors.accent
  return svg(` fill="${scheme === 'light' ? light : dark}"`, '')
}

/** The mark as a page's icon: an address that holds the image, in the colors of the browser. */
export const favicon: string = (() => {
  const [light, dark] = colors.accent
  const style = `path{fill:${light}}@media(prefers-color-scheme:dark){path{fill:${dark}}}`
  return `data:image/svg+xml,${encodeURIComponent(svg('', `<style>${style}</style>`))}`
})()

function svg(attributes: string, style: string): string {
  const paths = markPaths.map((d) => `<path d="${d}"/>`).join('')
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"${attributes}>`
  return `${head}${style}${paths}</svg>`
}
