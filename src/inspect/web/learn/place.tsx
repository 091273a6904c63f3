import { useEffect, useState } from 'preact/hooks'
import type { InspectedCall } from '../../inspection.ts'
import { inspection } from '../model.ts'

/**
 * A place on a plane, moved by the reader or a timer.
 * @param start counted row by row; the middle, off the padding, by default
 */
export function usePlace(
  height: number,
  width: number,
  start = Math.floor(height / 2) * width + Math.floor(width / 2),
) {
  const count = height * width
  const [position, setPosition] = useState(start)
  const [running, setRunning] = useState(false)
  useEffect(() => {
    if (!running) return
    const timer = setInterval(() => setPosition((before) => (before + 1) % count), 500)
    return () => clearInterval(timer)
  }, [running, count])
  const [row, column] = [Math.floor(position / width), position % width]
  const control = (label: string) => (
    <p class="slider">
      <label>
        {label}{' '}
        <input
          type="range"
          min={0}
          max={count - 1}
          value={position}
          aria-valuetext={`row ${row}, column ${column}`}
          onInput={(event) => {
            setRunning(false)
            setPosition(Number(event.currentTarget.value))
          }}
        />
      </label>{' '}
      <button type="button" aria-pressed={running} onClick={() => setRunning(!running)}>
        {running ? 'Stop' : 'Let it slide'}
      </button>
    </p>
  )
  return { row, column, control }
}

/** Height and width of one of a call's tensors; 1 x 1 where it was not kept. */
export function planeOf({ tensors }: InspectedCall, name: 'y' | 'weight'): [number, number] {
  const key = tensors[name]
  const [, , height = 1, width = 1] = (key && inspection.tensors[key]?.shape) || []
  return [height, width]
}
