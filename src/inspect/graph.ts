/** The network as a graph of what was computed, from the recording: the drawing is made of it. */
import { at } from '../base/at.ts'
import { launchedBy } from './calls.ts'
import type { InspectedCall, Inspection } from './inspection.ts'

/** One box of the drawing: an operator's result, after a ReLU or dropout that only it feeds. */
export interface GraphNode {
  /** The layer whose name it has. */
  readonly layer: string
  /** The layers in it: a convolution and the ReLU after it. */
  readonly layers: readonly string[]
  /** The forward calls in it, by their indices in `Inspection.calls`; the last has the result. */
  readonly calls: readonly number[]
  /** The nodes whose results it reads; −1 is the image. */
  readonly reads: readonly number[]
  /** Steps from the image along the longest path, from 1. */
  readonly level: number
}

type Recorded = Pick<Inspection, 'calls' | 'tensors'>

/** Operators that change values one by one, and are drawn in the box of what they change. */
const elementwise = ['relu', 'dropout']

/** The forward calls of the network, without the loss, as nodes in the order of computation. */
export function graphOf(recorded: Recorded): GraphNode[] {
  const { calls } = recorded
  const shapeOf = (index: number) => resultShape(recorded, at(calls, index))?.join()
  const forward = calls.flatMap((call, index) =>
    call.pass === 'forward' && call.operator !== 'crossEntropy' ? [{ call, index }] : [],
  )
  const readers = new Map<number, number>()
  for (const { call } of forward)
    for (const read of call.reads) readers.set(read, (readers.get(read) ?? 0) + 1)
  const made: { layer: string; layers: string[]; calls: number[]; reads: number[] }[] = []
  const nodeOf = new Map([[-1, -1]])
  for (const { call, index } of forward) {
    const layer = call.layer ?? call.operator
    const [only, ...more] = call.reads
    const before = only === undefined || only < 0 ? undefined : made[nodeOf.get(only) ?? -1]
    const joins =
      before &&
      more.length === 0 &&
      elementwise.includes(call.operator) &&
      readers.get(at(call.reads, 0)) === 1 &&
      // Where maps were flattened in between, they are drawn before.
      shapeOf(index) === shapeOf(at(call.reads, 0))
    if (joins) {
      before.layers.push(layer)
      before.calls.push(index)
      nodeOf.set(index, made.indexOf(before))
      continue
    }
    nodeOf.set(index, made.length)
    const reads = call.reads.flatMap((read) => nodeOf.get(read) ?? [])
    made.push({ layer, layers: [layer], calls: [index], reads })
  }
  const levels: number[] = []
  return made.map((node) => {
    const level = 1 + Math.max(0, ...node.reads.map((read) => (read < 0 ? 0 : at(levels, read))))
    levels.push(level)
    return { ...node, level }
  })
}

/** The call that a node is named after: the convolution, not the ReLU after it. */
export function firstCall({ calls }: Recorded, node: GraphNode): InspectedCall {
  return at(calls, at(node.calls, 0))
}

/** The call whose `y` is the node's result. */
export function lastCall({ calls }: Recorded, node: GraphNode): InspectedCall {
  return at(calls, at(node.calls, node.calls.length - 1))
}

/** The shape of a forward call's result; null where it was not kept. */
export function resultShape(
  { tensors }: Pick<Inspection, 'tensors'>,
  call: InspectedCall,
): readonly number[] | null {
  const key = call.tensors.y
  return (key === undefined ? null : tensors[key]?.shape) ?? null
}

/** The forward call that holds the logits as its `y`: the last before the loss. */
export function logitsCall({ calls }: Recorded): InspectedCall | null {
  return (
    calls.findLast(({ pass, operator }) => pass === 'forward' && operator !== 'crossEntropy') ??
    null
  )
}

/** The dispatches of a node, by their indices; a fused ReLU has none of its own. */
export function dispatchesOf(recorded: Recorded, node: GraphNode): number[] {
  return node.calls.flatMap((index) => {
    const call = at(recorded.calls, index)
    if (launchedBy(recorded, call)) return []
    return Array.from({ length: call.end - call.first }, (_, i) => call.first + i)
  })
}
