import { type ComponentProps, Fragment } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { gradientsOf, launchedBy } from '../calls.ts'
import type { InspectedCall } from '../inspection.ts'
import { Explain } from './explain.tsx'
import { inspection, lossName, valuesOf } from './model.ts'
import { go } from './route.ts'
import { TensorImage } from './tensorImage.tsx'

interface Shown {
  readonly name: string
  readonly title: string
  readonly tensorKey: string
}

const titles: Readonly<Record<string, string>> = {
  x: 'x, what comes in',
  y: 'y, what goes out',
  weight: 'weight',
  bias: 'bias',
  dy: 'dy, the gradient of y',
  dx: 'dx, the gradient of x',
  dweight: 'dweight, the gradient of weight',
  dbias: 'dbias, the gradient of bias',
  logits: 'logits',
  dlogits: 'dlogits, the gradient of the logits',
}

/** A layer's tensors as images; a number that is clicked is written out below. */
export function Tensors({ args }: { readonly args: readonly string[] }) {
  const calls = inspection.calls.filter(({ pass }) => pass === 'forward')
  const [layer = '', what = '', ...at] = args
  const named = calls.findIndex((call) => (call.layer ?? lossName) === layer)
  const chosen = calls[Math.max(named, 0)]
  if (!chosen) return <p>This recording holds no tensors.</p>
  const index = at.map(Number)
  return (
    <section>
      <h2>Tensors</h2>
      <label class="pick">
        Layer{' '}
        <select
          value={chosen.layer ?? lossName}
          onChange={(event) => go('tensors', event.currentTarget.value)}
        >
          {calls.map((call) => (
            <option key={call.layer} value={call.layer ?? lossName}>
              {call.layer ?? lossName}: {call.operator}
            </option>
          ))}
        </select>
      </label>
      <p class="quiet">
        Point at a number to read it; click it, or move with the arrow keys and press Enter, to see
        what it was made of. Weights and gradients go from red, below zero, through white to blue.
      </p>
      <Layer key={chosen.layer} call={chosen} what={what} at={index} />
    </section>
  )
}

function Layer({
  call,
  what,
  at,
}: {
  readonly call: InspectedCall
  readonly what: string
  readonly at: readonly number[]
}) {
  const [filter, setFilter] = useState(0)
  const shown = tensorsOf(call)
  const filters = filterCount(call)
  const selected = what && at.length > 0 && at.every(Number.isInteger)
  const layer = call.layer ?? lossName
  return (
    <>
      <SharedLaunch call={call} />
      {filters > 1 ? (
        <label class="pick">
          Filter of the weight{' '}
          <input
            type="number"
            min={0}
            max={filters - 1}
            value={filter}
            onInput={(event) => setFilter(clampFilter(event.currentTarget.value, filters))}
          />{' '}
          of 0 to {filters - 1}
        </label>
      ) : null}
      <div class="tensors">
        {shown.map(({ name, title, tensorKey }) => (
          <Fragment key={name}>
            <TensorImage
              name={name}
              title={title}
              tensorKey={tensorKey}
              filter={filter}
              selected={selected && what === name ? at : null}
              onSelect={(place) => go('tensors', layer, name, ...place)}
            />
            {selected && what === name ? <Chosen call={call} what={what} at={at} /> : null}
          </Fragment>
        ))}
      </div>
    </>
  )
}

/**
 * A number that was chosen, written out below its image, which stays where it was pointed at; as
 * much of it as tells what it is is shown.
 */
function Chosen(props: ComponentProps<typeof Explain>) {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    place.current?.querySelector('h3')?.scrollIntoView({ block: 'nearest' })
  }, [props.at.join()])
  return (
    <div class="chosen" ref={place}>
      <Explain {...props} />
    </div>
  )
}

/**
 * Where a ReLU and the layer before it are one launch: what the tensors of each are, and what does
 * not exist.
 */
function SharedLaunch({ call }: { readonly call: InspectedCall }) {
  const by = launchedBy(inspection, call)
  if (by)
    return (
      <p>
        The launch of {by.layer} computes this too: it stores max(sum, 0), and the sum itself never
        was in memory. A number of y is written out from there.
      </p>
    )
  if (call.attrs.relu)
    return (
      <p>
        The ReLU after this layer is part of its launch: y is what max(sum, 0) leaves, and dy is the
        gradient of the sum.
      </p>
    )
  return null
}

function tensorsOf(call: InspectedCall): Shown[] {
  const { x, ...others } = call.tensors
  // A ReLU that another launch applied read no x: what it has for it is y.
  const own: Readonly<Record<string, string>> =
    x && !launchedBy(inspection, call) ? { x, ...others } : others
  const keys = { ...own, ...gradientsOf(inspection, call) }
  const order = Object.keys(titles)
  return Object.entries(keys)
    .filter(([name]) => name in titles)
    .sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
    .map(([name, tensorKey]) => {
      const ofSum = name === 'dy' && call.attrs.relu
      return {
        name,
        title: ofSum ? 'dy, the gradient of the sum before the ReLU' : (titles[name] ?? name),
        tensorKey,
      }
    })
}

/** How many filters of a weight were kept, where they are looked at one by one. */
function filterCount({ tensors }: InspectedCall): number {
  const weight = tensors.weight ? valuesOf(tensors.weight) : null
  const [filters = 0, channels = 0, ...window] = weight?.shape ?? []
  if (weight?.shape.length !== 4 || channels === 3) return 0
  return Math.min(
    filters,
    Math.floor(weight.values.length / (channels * window.reduce((a, b) => a * b, 1))),
  )
}

function clampFilter(text: string, filters: number): number {
  return Math.max(0, Math.min(filters - 1, Math.floor(Number(text)) || 0))
}
