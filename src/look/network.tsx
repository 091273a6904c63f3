import type { VNode } from 'preact'
import type { Color } from './tokens.ts'

/** What is done with a part of a network. */
export type State = 'frozen' | 'trained' | 'new' | 'cut'

/** Width and height of AlexNet's eight layers in a drawing: five convolutions, three FC layers. */
const layers = [
  [34, 84],
  [30, 70],
  [26, 58],
  [26, 58],
  [26, 50],
  [12, 66],
  [12, 66],
  [12, 40],
] as const
const gap = 7

/** Width of a drawn network of eight layers. */
export const networkWidth = layers.reduce((sum, [width]) => sum + width + gap, -gap)

export const ink = (color: Color) => `var(--${color})`

/** A part of the network, and what stands below it. */
export interface Part {
  readonly state: State
  /** How many layers it has. */
  readonly layers: number
  readonly label: string
}

/** The layers of a network as blocks on a line, each part in its color, with its label below. */
export function Blocks({ parts, y }: { readonly parts: readonly Part[]; readonly y: number }) {
  const drawn: VNode[] = []
  let [x, i] = [0, 0]
  for (const { state, layers: count, label } of parts) {
    const start = x
    for (const [width, height] of layers.slice(i, i + count)) {
      drawn.push(<Block key={`${i} ${x}`} {...{ state, x, y, width, height }} />)
      x += width + gap
    }
    i += count
    const middle = (start + x - gap) / 2
    drawn.push(
      <text key={label} x={middle} y={y + 64} class="label" fill={ink(state)}>
        {label}
      </text>,
      <path key={`${label} line`} d={`M${start} ${y + 49}H${x - gap}`} stroke={ink(state)} />,
    )
  }
  return <>{drawn}</>
}

/** One layer; `y` is the middle of the line. */
function Block(props: {
  readonly state: State
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}) {
  const { state, x, y, width, height } = props
  const place = { x, y: y - height / 2, width, height, rx: 3 }
  return state === 'cut' ? (
    <rect {...place} fill="none" stroke={ink('cut')} stroke-dasharray="4 3" />
  ) : (
    <rect {...place} fill={ink(state)} />
  )
}
