import type { VNode } from 'preact'
import { percent } from '../../base/format.ts'
import type { TopLoss } from '../statistics.ts'

interface TopLossesProps {
  readonly topLosses: readonly TopLoss[]
  /** The image, or images, of one of them. */
  readonly draw: (loss: TopLoss, index: number) => VNode | null
}

/** The images on which the network is most wrong, each with what it is and was taken for. */
export function TopLosses({ topLosses, draw }: TopLossesProps): VNode {
  return (
    <ol class="losses">
      {topLosses.map((topLoss, i) => {
        const { name, actual, predicted, probability, actualProbability, loss } = topLoss
        const verdict = actual === predicted ? undefined : 'wrong'
        return (
          <li key={name}>
            <figure>
              {draw(topLoss, i)}
              <figcaption>
                is <bdi>{actual}</bdi> <Sure share={actualProbability} />,
                <br />
                taken for <bdi class={verdict}>{predicted}</bdi> <Sure share={probability} />
                <br />
                <span class="quiet">
                  loss {loss.toFixed(2)}, <bdi dir="ltr">{name}</bdi>
                </span>
              </figcaption>
            </figure>
          </li>
        )
      })}
    </ol>
  )
}

/** '(79.1 %)', never broken before the sign. */
function Sure({ share }: { readonly share: number }): VNode {
  return <span class="unbroken">({percent(share)})</span>
}
