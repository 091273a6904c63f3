import type { ComponentChildren } from 'preact'
import { Blocks, ink, networkWidth, type Part } from './network.tsx'

/** The style of a diagram's text, within its own SVG. */
const textStyle = `text{font:14px system-ui,sans-serif}text:not([fill]){fill:var(--ink)}
.name{font-weight:650;font-size:16px}text.about{fill:var(--quiet);font-size:13px}
.label{font-size:13px;font-weight:600;text-anchor:middle}`

interface Situation {
  /** What the images are like. */
  readonly images: string
  readonly parts: readonly Part[]
  readonly what: string
}

const head: Part = { state: 'new', layers: 1, label: 'new' }

/** The four situations: what becomes of the network in each. */
export const situations = {
  'small-similar': {
    images: 'few images, like those of the pretraining',
    parts: [{ state: 'frozen', layers: 7, label: 'frozen' }, head],
    what: 'only the new layer trains',
  },
  'small-different': {
    images: 'few images, unlike those of the pretraining',
    parts: [
      { state: 'frozen', layers: 4, label: 'frozen' },
      { state: 'cut', layers: 3, label: 'cut' },
      head,
    ],
    what: 'a new layer on early ones trains',
  },
  'large-similar': {
    images: 'many images, like those of the pretraining',
    parts: [{ state: 'trained', layers: 7, label: 'trained' }, head],
    what: 'everything trains, from pretrained values',
  },
  'large-different': {
    images: 'many images, unlike those of the pretraining',
    parts: [{ state: 'trained', layers: 7, label: 'from random values' }, head],
    what: 'everything trains, from random values',
  },
} as const satisfies Record<string, Situation>

export type SituationName = keyof typeof situations
const names = Object.keys(situations) as readonly SituationName[]

const panel = { width: 350, height: 190 }

/** One of the four, as an SVG of 350 by 190; `marked` draws a frame of the accent around it. */
export function SituationFigure(props: {
  readonly name: SituationName
  readonly marked?: boolean
}) {
  return (
    <Diagram {...panel} title={describe(props.name)}>
      <Panel {...props} />
    </Diagram>
  )
}

function describe(name: SituationName): string {
  const { images, what } = situations[name]
  return `${name}: ${images}; ${what}`
}

function Panel({ name, marked = false }: { readonly name: SituationName; marked?: boolean }) {
  const { images, parts } = situations[name]
  return (
    <>
      <rect
        {...{ x: 1, y: 1, width: panel.width - 2, height: panel.height - 2, rx: 8 }}
        fill={ink('raised')}
        stroke={ink(marked ? 'accent' : 'rule')}
        stroke-width={marked ? 3 : 1}
      />
      <text x="16" y="28" class="name">
        {name}
      </text>
      <text x="16" y="48" class="about">
        {images}
      </text>
      <g transform={`translate(${(panel.width - networkWidth) / 2} 0)`}>
        <Blocks parts={parts} y={108} />
      </g>
    </>
  )
}

/** All four as one SVG of 720 by 400, two by two. */
export function FourSituations() {
  const [stepX, stepY] = [panel.width + 20, panel.height + 20]
  return (
    <Diagram
      {...{ width: stepX + panel.width, height: stepY + panel.height }}
      title={`The four situations. ${names.map(describe).join('. ')}.`}
    >
      {names.map((name, i) => (
        <g key={name} transform={`translate(${(i % 2) * stepX} ${Math.floor(i / 2) * stepY})`}>
          <Panel name={name} />
        </g>
      ))}
    </Diagram>
  )
}

/** What transfer learning is, as one SVG of 720 by 360. */
export function TransferLearning() {
  return (
    <Diagram
      {...{ width: 720, height: 360 }}
      title={
        'Transfer learning. A network is trained once on many images. Its layers are kept and ' +
        'frozen, its last layer is cut off, and a new one is trained on your own few images.'
      }
    >
      <Row
        {...{ y: 90, images: 5, from: 'very many images', to: 'its 100 classes' }}
        title="Before: somebody trained a network once"
        parts={[{ state: 'trained', layers: 8, label: 'trained' }]}
      />
      <Arrow d="M333 168v34" />
      <text x="348" y="190" class="about">
        all its layers but the last are kept
      </text>
      <Row
        {...{ y: 286, images: 2, from: 'your images', to: 'your classes' }}
        title="Now: your classes are grafted onto it"
        parts={[
          { state: 'frozen', layers: 7, label: 'frozen' },
          { ...head, label: 'new, trains' },
        ]}
      />
    </Diagram>
  )
}

interface RowProps {
  readonly y: number
  readonly title: string
  readonly images: number
  readonly from: string
  readonly to: string
  readonly parts: readonly Part[]
}

function Row({ y, title, images, from, to, parts }: RowProps) {
  const photo = { x: 30, y: y - 8, width: 44, height: 44, rx: 4 }
  return (
    <>
      <text x="16" y={y - 62} class="name">
        {title}
      </text>
      {Array.from({ length: images }, (_, i) => (
        <g key={i} transform={`translate(${7 * i} ${-5 * i})`}>
          <rect {...photo} fill={ink('ground')} stroke={ink('quiet')} />
          <path d={`M30 ${y + 30}l13-15 10 9 8-6 13 12v0`} fill="none" stroke={ink('quiet')} />
        </g>
      ))}
      <text x="16" y={y + 64} class="about">
        {from}
      </text>
      <Arrow d={`M140 ${y}h50`} />
      <g transform="translate(220 0)">
        <Blocks parts={parts} y={y} />
      </g>
      <Arrow d={`M470 ${y}h50`} />
      <text x="540" y={y + 5}>
        {to}
      </text>
    </>
  )
}

/** A line with a head at its end, which lies to the right of its start or below it. */
function Arrow({ d }: { readonly d: string }) {
  const tip = d.includes('v') ? 'm-5-6 5 6 5-6' : 'm-6-5 6 5-6 5'
  return <path d={`${d}${tip}`} fill="none" stroke={ink('quiet')} stroke-width="2" />
}

function Diagram(props: {
  readonly width: number
  readonly height: number
  readonly title: string
  readonly children: ComponentChildren
}) {
  const { width, height, title, children } = props
  return (
    <svg
      xmlns="http://www.w3.org/2000/svg"
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      style={{ maxWidth: '100%', height: 'auto' }}
      role="img"
      aria-label={title}
    >
      <style>{textStyle}</style>
      {children}
    </svg>
  )
}
