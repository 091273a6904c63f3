import { imageKey, inspection } from '../model.ts'
import { TensorImage } from '../tensorImage.tsx'
import { Lesson } from './lesson.tsx'

export const hasImage = imageKey() !== null

/** The image as three planes of numbers. */
export function Pixels() {
  const key = imageKey()
  if (key === null) return null
  const { size, mean, scale, order } = inspection.preprocess
  return (
    <Lesson
      figure={
        <TensorImage name="x" title="The image, as the first layer reads it" tensorKey={key} />
      }
    >
      <p>
        The network gets no image but numbers: {size} x {size} pixels, three numbers each, for{' '}
        {order === 'rgb' ? 'red, green and blue' : 'blue, green and red'}. Point at the image to
        read them. The mean of the images that the network was first trained on is taken off (
        {mean.join(', ')} {scale === 255 ? 'of 255' : 'of 1'}), so numbers are below zero where a
        color is weak and above where it is strong.
      </p>
    </Lesson>
  )
}
