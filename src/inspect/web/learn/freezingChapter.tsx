import { inspection } from '../model.ts'
import { href } from '../route.ts'
import { FreezingControl } from './freezingControl.tsx'
import { Notice } from './notice.tsx'

/** What a training step costs, by the number of layers that train. */
export function FreezingChapter() {
  return (
    <FreezingControl
      after={
        <Notice>
          <ul>
            <li>The forward pass stays the same, whatever is frozen.</li>
            <li>
              Each convolution that trains costs two more of its size: the gradient of its weights,
              and that of its input, which the layers before it need.
            </li>
            <li>
              Where all but the end is frozen, the frozen part gives the same results in every
              epoch: Graft computes them once and keeps them.{' '}
              {inspection.compared.length ? (
                <a href={href('compare')}>The same step layer by layer</a>
              ) : null}
            </li>
          </ul>
        </Notice>
      }
    >
      <p>
        A training step goes through the network twice: <b>forward</b>, to the loss, and{' '}
        <b>backward</b>, to find the gradient of every value that trains. Then the optimizer changes
        those values. A <b>frozen</b> layer is not changed, so nobody needs its gradient; and where
        no earlier layer trains, backward ends.
      </p>
    </FreezingControl>
  )
}
