import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { at } from '../../../base/at.ts'
import { counted } from '../../../base/format.ts'
import { type GraphNode, lastCall, resultShape } from '../../graph.ts'
import { stateOf } from '../../layerState.ts'
import { describeState, layerNamed } from '../layers.ts'
import { imageValues, inspection, nodes, valuesOf } from '../model.ts'
import { href } from '../route.ts'
import { arrange, arrow, type Box } from './arrange.ts'
import { drawnSize } from './maps.ts'
import { Small } from './small.tsx'

/** Room for the words below a drawing, and around both. */
const words = { width: 128, height: 62, padding: 6 } as const
/** The pixels of a printed page that are free for a drawing, at least. */
const paper = 640
const imageSize = { width: 104, height: 104 } as const

/** One box of the drawing: the image, a node, or what was cut off. */
interface Item {
  readonly kind: 'image' | 'node' | 'cut'
  readonly node: GraphNode | null
  readonly level: number
  /** The items that it reads, by their place in the list. */
  readonly reads: readonly number[]
  readonly picture: Box
}

/** The image, every node, and what the scenario cut off, as a branch that ends. */
function itemsOf(): Item[] {
  const { preprocess, removed } = inspection
  const shown = nodes.map((node): Item => {
    const shape = resultShape(inspection, lastCall(inspection, node)) ?? [1, 1]
    return {
      kind: 'node',
      node,
      level: node.level,
      reads: node.reads.map((read) => read + 1),
      picture: drawnSize(shape, preprocess.size),
    }
  })
  const image: Item = { kind: 'image', node: null, level: 0, reads: [], picture: imageSize }
  const items = [image, ...shown]
  if (removed.length === 0) return items
  const firstNew = nodes.findIndex(({ layers }) => layers.some((name) => layerNamed(name)?.isNew))
  const before = firstNew < 0 ? items.length - 1 : firstNew
  const level = at(items, before).level + 1
  items.push({
    kind: 'cut',
    node: null,
    level,
    reads: [before],
    picture: { width: 76, height: 30 },
  })
  return items
}

/** The feature maps along the network; each box is a link to its layer. */
export function Drawing({ chosen }: { readonly chosen: string }) {
  const host = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  useEffect(() => {
    const element = host.current
    if (!element) return
    const print = matchMedia('print')
    const measure = () =>
      setWidth(print.matches ? Math.min(paper, element.clientWidth) : element.clientWidth)
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    print.addEventListener('change', measure)
    measure()
    return () => {
      observer.disconnect()
      print.removeEventListener('change', measure)
    }
  }, [])
  const items = useMemo(itemsOf, [])
  const { places, height, scale } = useMemo(() => largestIn(items, width), [items, width])
  return (
    <div class="drawing" ref={host} style={{ height: `${height}px` }}>
      {width > 0 ? (
        <>
          <svg class="arrows" width={width} height={height} aria-hidden="true">
            <defs>
              <marker
                id="tip"
                viewBox="0 0 8 8"
                refX="6"
                refY="4"
                markerWidth="7"
                markerHeight="7"
                orient="auto"
              >
                <path d="M0 0L8 4L0 8z" />
              </marker>
            </defs>
            {items.flatMap((item, i) =>
              item.reads.map((read) => (
                <path
                  key={`${read} ${i}`}
                  class={item.kind === 'cut' ? 'line cut' : 'line'}
                  d={arrow(at(places, read), at(places, i))}
                  marker-end={item.kind === 'cut' ? undefined : 'url(#tip)'}
                />
              )),
            )}
          </svg>
          <ol class="boxes" aria-label="The network, from the image to the scores">
            {items.map((item, i) => {
              const { x, y, width, height } = at(places, i)
              return (
                <li
                  key={item.node?.layer ?? item.kind}
                  style={{
                    left: `${x}px`,
                    top: `${y}px`,
                    width: `${width}px`,
                    height: `${height}px`,
                  }}
                >
                  <BoxContent item={item} chosen={chosen} scale={scale} />
                </li>
              )
            })}
          </ol>
        </>
      ) : null}
    </div>
  )
}

/** How much larger than at its smallest a picture is drawn. */
const scales = [1, 1.25, 1.5, 1.75, 2] as const

/** The largest drawing that takes no more rows than the smallest one. */
function largestIn(items: readonly Item[], width: number) {
  const drawn = scales.map((scale) => {
    const boxes = items.map((item) => {
      const picture = scaled(item.picture, scale)
      return {
        width: Math.max(words.width, picture.width) + 2 * words.padding,
        height: picture.height + words.height + 2 * words.padding,
      }
    })
    const levels = items.map(({ level }) => level)
    return { scale, ...arrange(levels, boxes, width) }
  })
  return drawn.reduce((best, one) => (one.rows === best.rows ? one : best))
}

const scaled = ({ width, height }: Box, scale: number): Box => ({
  width: Math.round(scale * width),
  height: Math.round(scale * height),
})

interface BoxContentProps {
  readonly item: Item
  readonly chosen: string
  readonly scale: number
}

function BoxContent({ item, chosen, scale }: BoxContentProps) {
  const { node, kind } = item
  const picture = scaled(item.picture, scale)
  if (kind === 'cut')
    return (
      <div class="box cut" title={inspection.removed.join(', ')}>
        <span class="gone" style={{ height: `${picture.height}px` }} aria-hidden="true" />
        <b>cut off</b>
        <span>{counted(inspection.removed.length, 'layer')}</span>
        <span class="ends">{endsOf(inspection.removed)}</span>
      </div>
    )
  if (!node) {
    const values = imageValues()
    const { size } = inspection.preprocess
    return (
      <div class="box image">
        {values ? <Small values={values} size={picture} image /> : null}
        <b>the image</b>
        <span>
          {size} x {size} pixels
        </span>
        <span>3 colors</span>
      </div>
    )
  }
  const call = lastCall(inspection, node)
  const values = valuesOf(call.tensors.y ?? '')
  const layer = layerNamed(node.layer)
  const state = layer ? describeState(layer) : ''
  return (
    <a
      class={`box ${layer ? stateOf(layer) : 'bare'}`}
      href={href('image', node.layer)}
      aria-current={node.layer === chosen ? 'true' : undefined}
      title={node.layers.join(', ')}
    >
      {values ? <Small values={values} size={picture} /> : null}
      <b>{node.layer}</b>
      <span>{sizeText(node)}</span>
      <span class="state">
        {state === 'no parameters' ? shortly(layer?.description ?? '') : state}
      </span>
    </a>
  )
}

/** 'max-pool 3x3 stride 2' as 'max-pool 3x3', which has room. */
const shortly = (description: string) => description.replace(/ stride .*/, '')

const endsOf = (names: readonly string[]) =>
  names.length > 1 ? `${names[0]} … ${names.at(-1)}` : (names[0] ?? '')

/** '32 maps of 31 x 31', '512 numbers'. */
export function sizeText(node: GraphNode): string {
  const shape = resultShape(inspection, lastCall(inspection, node))
  if (!shape) return ''
  const [, channels = 1, height, width] = shape
  if (height === undefined || width === undefined) return counted(channels, 'number')
  return `${counted(channels, 'map')} of ${height} x ${width}`
}
