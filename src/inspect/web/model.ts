/** The page's data, and ways to look things up in it. */
import { forwardOf, gradientsOf } from '../calls.ts'
import { graphOf, logitsCall } from '../graph.ts'
import type { InspectedCall, InspectedDispatch } from '../inspection.ts'
import { unpackTensor } from '../pack.ts'
import { readInspection } from '../plain.ts'
import type { ExplainedCall, Values } from '../terms.ts'

const recorded = document.getElementById('inspection')?.textContent
if (!recorded) throw new Error('this page contains no inspection')
export const inspection = readInspection(recorded)

/** The boxes of the drawing. */
export const nodes = graphOf(inspection)

/** In place of a layer's name, for the loss. */
export const lossName = 'the loss'

const unpacked = new Map<string, Values>()

/** A tensor's values, unpacked at the first use; null for a tensor that was not kept. */
export function valuesOf(key: string): Values | null {
  const packed = inspection.tensors[key]
  if (!packed) return null
  const known = unpacked.get(key)
  if (known) return known
  const values = { shape: packed.shape, values: unpackTensor(packed) }
  unpacked.set(key, values)
  return values
}

/** The image as the network reads it; null where it was not kept. */
export function imageValues(): Values | null {
  const key = imageKey()
  return key === null ? null : valuesOf(key)
}

/** The key of the image among the tensors. */
export function imageKey(): string | null {
  const first = inspection.calls.find(({ pass, reads }) => pass === 'forward' && reads.includes(-1))
  return first?.tensors.x ?? null
}

/** The scores before softmax; none where they were not kept. */
export function logits(): number[] {
  const key = logitsCall(inspection)?.tensors.y
  return Array.from((key === undefined ? null : valuesOf(key))?.values ?? [])
}

/** The class of the step's target in the order of the logits; null for a forward pass alone. */
export const target =
  inspection.target === null ? null : inspection.classes.indexOf(inspection.target)

/** A forward call with its gradients beside its tensors. */
export function explainedCall(call: InspectedCall): ExplainedCall {
  const forward = forwardOf(inspection, call) ?? call
  const keys = { ...gradientsOf(inspection, forward), ...forward.tensors }
  const tensors = Object.fromEntries(
    Object.entries(keys).flatMap(([name, key]) => {
      const values = valuesOf(key)
      return values ? [[name, values] as const] : []
    }),
  )
  return { operator: forward.operator, attrs: forward.attrs, tensors }
}

export type Cost = NonNullable<InspectedDispatch['cost']>

/** The text of a kernel's file. */
export function shaderText(file: string): string {
  const text = inspection.shaders[file]
  if (text === undefined) throw new Error(`the inspection contains no text of ${file}`)
  return text
}

/** Which limit a dispatch meets first: under the slope of the roofline, or under its flat part. */
export function limitOf({ flops, bytes }: Cost): 'memory' | 'arithmetic' {
  const { gflops, gbps } = inspection.peak ?? { gflops: 1, gbps: 1 }
  return flops / bytes < gflops / gbps ? 'memory' : 'arithmetic'
}
