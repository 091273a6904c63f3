import { percent } from '../base/format.ts'
import { Thumbnail } from './images.tsx'
import type { Selection } from './selection.ts'
import type { Result } from './workerApi.ts'

/** The images on which the network is most wrong. */
export function Losses({
  result,
  files,
}: {
  readonly result: Result
  readonly files: Selection['files']
}) {
  return (
    <section aria-labelledby="losses">
      <h3 id="losses">Where it is most wrong</h3>
      <ol class="images">
        {result.topLosses.map(
          ({ name, actual, predicted, probability, actualProbability, loss }) => {
            const file = files.find(({ path }) => path === name)?.file
            return (
              <li key={name}>
                <figure>
                  {file && <Thumbnail file={file} alt={name} />}
                  <figcaption>
                    is <bdi>{actual}</bdi> ({percent(actualProbability)}),
                    <br />
                    taken for{' '}
                    <bdi class={actual === predicted ? undefined : 'wrong'}>{predicted}</bdi> (
                    {percent(probability)})
                    <br />
                    <span class="quiet">
                      loss {loss.toFixed(2)}, <bdi dir="ltr">{name}</bdi>
                    </span>
                  </figcaption>
                </figure>
              </li>
            )
          },
        )}
      </ol>
    </section>
  )
}
