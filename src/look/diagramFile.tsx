import { renderToString } from 'preact-render-to-string'
import { FourSituations, TransferLearning } from './diagrams.tsx'
import { type Color, colors } from './tokens.ts'

/** The diagrams that are written to files, by their names. */
export const diagrams = {
  'four-situations': <FourSituations />,
  'transfer-learning': <TransferLearning />,
} as const

/**
 * A diagram as the text of an SVG file, in the colors of light or dark pages.
 * @example await writeFile('four-situations-dark.svg', diagramFile('four-situations', 'dark'))
 */
export function diagramFile(name: keyof typeof diagrams, scheme: 'light' | 'dark'): string {
  const colorOf = (color: string) => {
    const [light, dark] = colors[color as Color]
    return scheme === 'light' ? light : dark
  }
  const svg = renderToString(diagrams[name])
  return `${svg.replaceAll(/var\(--([\w-]+)\)/g, (_, color: string) => colorOf(color))}\n`
}
