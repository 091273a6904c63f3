import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { at } from '../../../base/at.ts'
import { lastCall, resultShape } from '../../graph.ts'
import { receptiveField } from '../../receptive.ts'
import type { Field } from '../../terms.ts'
import { layerNamed } from '../layers.ts'
import { imageKey, inspection, nodes, valuesOf } from '../model.ts'
import { sizeText } from '../see/drawing.tsx'
import { strongest } from '../see/maps.ts'
import { Slider } from '../slider.tsx'
import { TensorImage } from '../tensorImage.tsx'
import { Lesson } from './lesson.tsx'

/** The nodes whose results are maps that were kept. */
const mapped = nodes.filter((node) => {
  const call = lastCall(inspection, node)
  return resultShape(inspection, call)?.length === 4 && valuesOf(call.tensors.y ?? '') !== null
})

/** Whether this recording has maps to point at. */
export const hasMaps = mapped.length > 0 && imageKey() !== null

interface ReceptiveFieldsProps {
  /** What is told before, and after. */
  readonly children: ComponentChildren
  readonly after?: ComponentChildren
}

/** A map and the image: what one number of the first sees of the second. */
export function ReceptiveFields({ children, after }: ReceptiveFieldsProps) {
  const [depth, setDepth] = useState(Math.min(1, mapped.length - 1))
  const [place, setPlace] = useState<readonly [number, number] | null>(null)
  const image = imageKey()
  const node = mapped[depth]
  if (!node || image === null)
    return <p>This network makes no maps: every number sees the whole image.</p>
  const call = lastCall(inspection, node)
  const [, , height = 1, width = 1] = resultShape(inspection, call) ?? []
  const [row, column] = place ?? [Math.floor(height / 2), Math.floor(width / 2)]
  const here = [Math.min(row, height - 1), Math.min(column, width - 1)] as const
  const field = receptiveField(inspection, at(node.calls, node.calls.length - 1), here)
  const key = call.tensors.y ?? ''
  const values = valuesOf(key)
  const channel = values ? (strongest(values, 1)[0] ?? 0) : 0
  const framed: Field = {
    channel: 0,
    channels: 1,
    top: field.rows.from,
    left: field.columns.from,
    height: field.rows.to - field.rows.from + 1,
    width: field.columns.to - field.columns.from + 1,
  }
  const { size } = inspection.preprocess
  return (
    <Lesson
      after={after}
      figure={
        <div class="beside">
          <TensorImage
            key={key}
            name="y"
            title="One map of it"
            tensorKey={key}
            channel={channel}
            selected={[0, channel, ...here]}
            onRead={([, , y = 0, x = 0]) => setPlace([y, x])}
            onSelect={([, , y = 0, x = 0]) => setPlace([y, x])}
          />
          <TensorImage
            name="x"
            title="What it sees of the image"
            tensorKey={image}
            field={framed}
          />
        </div>
      }
    >
      {children}
      <Slider
        label="Depth"
        min={0}
        max={mapped.length - 1}
        value={depth}
        text={node.layer}
        onValue={setDepth}
      />
      <p class="verdict" aria-live="polite">
        {node.layer}, {layerNamed(node.layer)?.description}: {sizeText(node)}. The one at row{' '}
        {here[0]}, column {here[1]} sees {field.height} x {field.width} pixels of {size} x {size}.
      </p>
    </Lesson>
  )
}
