import { useMemo } from 'preact/hooks'
import type { InspectedCall } from '../../inspection.ts'
import { largest } from '../../probabilities.ts'
import { Explain, isExplained } from '../explain.tsx'
import { inspection, valuesOf } from '../model.ts'
import { href } from '../route.ts'
import { strongest } from '../see/maps.ts'
import { TensorImage } from '../tensorImage.tsx'
import { Lesson } from './lesson.tsx'
import { planeOf, usePlace } from './place.tsx'

/** The filter of a call that answers most, of those whose numbers can be written out. */
function filterOf(call: InspectedCall): number | null {
  const y = valuesOf(call.tensors.y ?? '')
  if (call.operator !== 'conv2d' || call.pass !== 'forward' || !y) return null
  const filters = strongest(y, y.shape[1] ?? 0)
  return filters.find((filter) => isExplained(call, 'y', [0, filter, 0, 0])) ?? null
}

/** The first convolution whose numbers can be written out. */
export const slidingCall: InspectedCall | null =
  inspection.calls.find((call) => filterOf(call) !== null) ?? null

/** Where a map has its largest number. */
function brightest(call: InspectedCall, filter: number, plane: number): number {
  const { values = [] } = valuesOf(call.tensors.y ?? '') ?? {}
  const map = Array.from({ length: plane }, (_, i) => values[filter * plane + i] ?? Number.NaN)
  return largest(map, 1)[0] ?? 0
}

/** A filter that slides over what it reads, its sum written out. */
export function SlidingProduct() {
  return slidingCall ? <Sliding call={slidingCall} /> : null
}

function Sliding({ call }: { readonly call: InspectedCall }) {
  const [height, width] = planeOf(call, 'y')
  const filter = useMemo(() => filterOf(call) ?? 0, [call])
  const start = useMemo(() => brightest(call, filter, height * width), [call, filter])
  const { row, column, control } = usePlace(height, width, start)
  return (
    <Lesson figure={<Explain call={call} what="y" at={[0, filter, row, column]} />}>
      <p>
        Filter {filter} of {call.layer} covers a window of{' '}
        {call.reads.includes(-1) ? 'the image' : 'x'}. Every number under it is multiplied by the
        weight above it, and the sum of the products is one number of the output. Then the filter
        moves on. <a href={href('lab', 'conv2d', 'forward.wgsl')}>The plain kernel</a> is these
        loops, one thread for each number.
      </p>
      {control('Where the filter is')}
      {call.tensors.y ? (
        <TensorImage
          name="y"
          title="All that it makes"
          tensorKey={call.tensors.y}
          channel={filter}
          selected={[0, filter, row, column]}
        />
      ) : null}
    </Lesson>
  )
}
