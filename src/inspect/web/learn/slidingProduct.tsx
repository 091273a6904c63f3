import type { InspectedCall } from '../../inspection.ts'
import { Explain, isExplained } from '../explain.tsx'
import { inspection } from '../model.ts'
import { href } from '../route.ts'
import { planeOf, usePlace } from './place.tsx'

/** The first convolution whose numbers can be written out. */
export const slidingCall: InspectedCall | null =
  inspection.calls.find(
    (call) =>
      call.operator === 'conv2d' && call.pass === 'forward' && isExplained(call, 'y', [0, 0, 0, 0]),
  ) ?? null

/** A filter that slides over what it reads, its sum written out. */
export function SlidingProduct() {
  return slidingCall ? <Sliding call={slidingCall} /> : null
}

function Sliding({ call }: { readonly call: InspectedCall }) {
  const [height, width] = planeOf(call, 'y')
  const { row, column, control } = usePlace(height, width)
  return (
    <>
      <p>
        Filter 0 of {call.layer} covers a window of {call.reads.includes(-1) ? 'the image' : 'x'}.
        Every number under it is multiplied by the weight above it, and the sum of the products is
        one number of the output. Then the filter moves on.{' '}
        <a href={href('lab', 'conv2d', 'forward.wgsl')}>The plain kernel</a> is these loops, one
        thread for each number.
      </p>
      {control('Where the filter is')}
      <Explain call={call} what="y" at={[0, 0, row, column]} />
    </>
  )
}
