/**
 * Draws the diagrams of README and the site into docs/images, each light and dark: `npm run
 * diagrams`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Color, colors } from '../src/look/tokens.ts'

type Scheme = 0 | 1
type State = 'frozen' | 'new' | 'trained' | 'cut'

const font = 'system-ui, sans-serif'

/** Marks that are drawn in one scheme of colors. */
class Drawing {
  readonly #marks: string[] = []
  readonly #scheme: Scheme

  constructor(scheme: Scheme) {
    this.#scheme = scheme
  }

  color(name: Color): string {
    return colors[name][this.#scheme]
  }

  text(x: number, y: number, words: string, size = 14, color: Color = 'ink', more = ''): void {
    this.#marks.push(
      `<text x="${x}" y="${y}" font-size="${size}" fill="${this.color(color)}" ${more}>${words}</text>`,
    )
  }

  /** A layer: filled where it is there, dashed where it was cut off. */
  layer(x: number, y: number, width: number, height: number, state: State): void {
    const look =
      state === 'cut'
        ? `fill="none" stroke="${this.color('cut')}" stroke-dasharray="4 3"`
        : `fill="${this.color(state)}"`
    this.#marks.push(`<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="4" ${look}/>`)
  }

  box(x: number, y: number, width: number, height: number): void {
    this.#marks.push(
      `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="8" ` +
        `fill="${this.color('raised')}" stroke="${this.color('rule')}"/>`,
    )
  }

  arrow(x: number, from: number, to: number): void {
    this.#marks.push(
      `<path d="M${x} ${from}V${to}m-5 -7l5 7l5 -7" fill="none" stroke="${this.color('quiet')}" stroke-width="1.5"/>`,
    )
  }

  svg(width: number, height: number, title: string): string {
    return (
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
      `width="${width}" height="${height}" font-family="${font}" role="img">` +
      `<title>${title}</title>` +
      `<rect width="${width}" height="${height}" fill="${this.color('ground')}"/>` +
      `${this.#marks.join('')}</svg>\n`
    )
  }
}

const bold = 'font-weight="650"'
const middle = 'text-anchor="middle"'

/** The heights of AlexNet's five convolutions and its dense layers, drawn. */
const heights = [64, 56, 48, 48, 48, 34, 34, 22]

function network(drawing: Drawing, x: number, base: number, states: readonly State[]): void {
  for (const [i, state] of states.entries()) {
    const height = heights[states.length === heights.length ? i : i + 2] ?? 22
    drawing.layer(x + i * 34, base - height, 26, height, state)
  }
}

const repeat = (state: State, count: number): State[] => Array.from({ length: count }, () => state)

/** Few or many images, similar or different: what happens to the network. */
function situations(scheme: Scheme): string {
  const drawing = new Drawing(scheme)
  const cells = [
    {
      name: 'small-similar',
      states: [...repeat('frozen', 7), 'new'],
      words: ['a new last layer;', 'all others are frozen'],
    },
    {
      name: 'small-different',
      states: [...repeat('frozen', 3), 'new', ...repeat('cut', 4)],
      words: ['the later layers are cut off;', 'a new layer on the early ones'],
    },
    {
      name: 'large-similar',
      states: [...repeat('trained', 7), 'new'],
      words: ['a new last layer; everything trains,', 'from the pretrained weights'],
    },
    {
      name: 'large-different',
      states: repeat('new', 8),
      words: ['everything trains,', 'from random weights'],
    },
  ] as const
  drawing.text(245, 24, 'similar images', 15, 'ink', `${middle} ${bold}`)
  drawing.text(575, 24, 'different images', 15, 'ink', `${middle} ${bold}`)
  for (const [i, { name, states, words }] of cells.entries()) {
    const x = 85 + (i % 2) * 330
    const y = 40 + Math.floor(i / 2) * 190
    drawing.box(x, y, 320, 180)
    drawing.text(x + 20, y + 28, name, 15, 'ink', bold)
    network(drawing, x + 20, y + 110, states)
    for (const [line, text] of words.entries())
      drawing.text(x + 20, y + 138 + line * 20, text, 14, 'quiet')
  }
  drawing.text(42, 135, 'few', 15, 'ink', `${middle} ${bold}`)
  drawing.text(42, 325, 'many', 15, 'ink', `${middle} ${bold}`)
  const legend: readonly (readonly [State, string])[] = [
    ['frozen', 'frozen'],
    ['trained', 'trains, from pretrained'],
    ['new', 'new, trains from random'],
    ['cut', 'cut off'],
  ]
  const places = [85, 190, 390, 605]
  for (const [i, [state, words]] of legend.entries()) {
    drawing.layer(places[i] ?? 0, 432, 16, 16, state)
    drawing.text((places[i] ?? 0) + 24, 445, words, 14, 'quiet')
  }
  return drawing.svg(750, 466, 'The four situations of transfer learning')
}

/** A trained network, and the same with its end replaced. */
function transfer(scheme: Scheme): string {
  const drawing = new Drawing(scheme)
  const x = 220
  const rows = [
    {
      y: 90,
      states: [...repeat('trained', 7), 'trained'],
      end: ['1,000 classes', 'of photographs'],
    },
    { y: 235, states: [...repeat('frozen', 7), 'new'], end: ['your classes:', 'cat, dog, …'] },
  ] as const
  const names = [
    ['A trained network', 'from a million images'],
    ['Your network', 'from a few of yours'],
  ]
  for (const [i, { y, states, end }] of rows.entries()) {
    network(drawing, x, y, states)
    for (const [line, text] of (names[i] ?? []).entries())
      drawing.text(20, y - 30 + line * 20, text, 14, line ? 'quiet' : 'ink', line ? '' : bold)
    for (const [line, text] of end.entries())
      drawing.text(x + 290, y - 22 + line * 20, text, 14, line ? 'quiet' : 'ink')
  }
  for (const i of [0, 6]) drawing.arrow(x + 13 + i * 34, 100, 162)
  drawing.text(x + 70, 134, 'kept as they are', 14, 'frozen')
  drawing.text(x + 235, 134, 'replaced', 14, 'new')
  for (const [i, text] of ['edges, colors', 'textures, parts', 'decision'].entries())
    drawing.text(x + i * 104, 258, text, 13, 'quiet')
  return drawing.svg(680, 275, 'Transfer learning: the first layers are kept, the end is new')
}

const folder = join(import.meta.dirname, 'images')
mkdirSync(folder, { recursive: true })
for (const [name, draw] of Object.entries({ situations, transfer })) {
  writeFileSync(join(folder, `${name}.svg`), draw(0))
  writeFileSync(join(folder, `${name}-dark.svg`), draw(1))
}
