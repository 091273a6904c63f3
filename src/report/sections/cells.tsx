import type { VNode } from 'preact'
import { at } from '../../base/at.ts'
import { counted, percent } from '../../base/format.ts'
import type { Cell, Thumbnail } from '../gallery.ts'
import type { HrefOf } from './confusion.tsx'

interface CellsProps {
  readonly classes: readonly string[]
  readonly cells: readonly Cell[]
}

const idOf = ({ actual, predicted }: Pick<Cell, 'actual' | 'predicted'>) =>
  `cell-${actual}-${predicted}`

/** The address of a cell's images within the page. */
export function hrefsOf(cells: readonly Cell[]): HrefOf {
  const ids = new Set(cells.map(idOf))
  return (actual, predicted) => {
    const id = idOf({ actual, predicted })
    return ids.has(id) ? `#${id}` : null
  }
}

/**
 * The images of each cell of the confusion matrix. The page has no script: the address names the
 * cell whose images are seen.
 */
export function CellImages({ classes, cells }: CellsProps): VNode {
  return (
    <>
      {cells.map((cell) => {
        const { actual, predicted, count, shown } = cell
        return (
          <section key={idOf(cell)} id={idOf(cell)} class="cell" aria-label="Images of a cell">
            <h3>
              <bdi>{at(classes, actual)}</bdi>{' '}
              {actual === predicted ? (
                'found'
              ) : (
                <>
                  taken for <bdi class="wrong">{at(classes, predicted)}</bdi>
                </>
              )}
              : {counted(count, 'image')}
              {count > shown.length ? `, the ${shown.length} surest of them` : ''}
            </h3>
            <ul class="thumbnails">
              {shown.map((image) => (
                <li key={image.name}>
                  <Thumb image={image} />
                </li>
              ))}
            </ul>
            <p>
              <a href="#confusion">Back to the matrix</a>
            </p>
          </section>
        )
      })}
    </>
  )
}

/** How many images stand on each side of the first comparison. */
const strip = 6

/** Images that are right beside images that are wrong, each of another cell as far as there are. */
export function RightAndWrong({ classes, cells }: CellsProps): VNode {
  const sides = [true, false].map((right) => ({
    right,
    images: inTurn(cells.filter(({ actual, predicted }) => (actual === predicted) === right)),
  }))
  return (
    <div class="sides">
      {sides.map(({ right, images }) => (
        <div key={String(right)}>
          <h3 class={right ? 'right' : 'wrong'}>{right ? 'Right' : 'Wrong'}</h3>
          {images.length === 0 && <p>{right ? 'None is right.' : 'None is wrong.'}</p>}
          <ul class="thumbnails">
            {images.map(([{ actual, predicted }, image]) => (
              <li key={image.name}>
                <Thumb image={image}>
                  <bdi>{at(classes, actual)}</bdi>
                  {!right && (
                    <>
                      {' '}
                      as <bdi class="wrong">{at(classes, predicted)}</bdi>
                    </>
                  )}
                </Thumb>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </div>
  )
}

/** The first image of each cell, then the second of each. */
function inTurn(cells: readonly Cell[]): readonly (readonly [Cell, Thumbnail])[] {
  const longest = Math.max(0, ...cells.map(({ shown }) => shown.length))
  return Array.from({ length: longest }, (_, i) =>
    cells.flatMap((cell) => {
      const image = cell.shown.at(i)
      return image ? [[cell, image] as const] : []
    }),
  )
    .flat()
    .slice(0, strip)
}

function Thumb({
  image: { name, probability, src },
  children,
}: {
  readonly image: Thumbnail
  readonly children?: VNode | readonly (VNode | string | false)[]
}): VNode {
  return (
    <figure>
      <img src={src} alt={name} title={name} width={112} height={112} />
      <figcaption>
        {children}
        <span class="quiet">{percent(probability)} sure</span>
      </figcaption>
    </figure>
  )
}
