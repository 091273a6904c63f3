import { Notice } from './notice.tsx'
import { ReceptiveFields } from './receptiveFields.tsx'

/** Which part of the image a number depends on, layer by layer. */
export function FieldChapter() {
  return (
    <ReceptiveFields
      after={
        <Notice>
          <ul>
            <li>
              Strides and pooling make fields grow fastest: after them a step on the map is several
              pixels of the image.
            </li>
            <li>
              At the edge part of the field lies on the padding around the image, where there is
              nothing.
            </li>
            <li>
              Early layers can know edges and colors only, because they see so little; an animal can
              be known only where the field is as large as it is.
            </li>
          </ul>
        </Notice>
      }
    >
      <p>
        A number of the first layer sees only the pixels under its filter. A number of the second
        sees those through the first layer's numbers, so more of the image, and so on: its part of
        the image, its <b>receptive field</b>, grows with depth. Choose a layer, then point at its
        map, or move with the arrow keys.
      </p>
    </ReceptiveFields>
  )
}
