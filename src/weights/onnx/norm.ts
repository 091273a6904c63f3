/**
 * PyTorch's LocalResponseNorm, which its exporter writes as ten nodes:
 * x / (k + alpha * mean of x² over `size` channels)^beta.
 */
import type { Effect } from './effect.ts'
import type { NodeView, Norm, Value } from './node.ts'

/** Whether a node is a step of such a normalization. */
export function isNormStep(opType: string, inputs: readonly (Value | null)[]): boolean {
  const [first, second] = inputs
  const squares = opType === 'Mul' && first?.kind === 'activation' && first === second
  return squares || inputs.some((value) => value?.kind === 'norm')
}

/** One step. The steps come in PyTorch's order, each once. */
export async function normStep(node: NodeView): Promise<Effect> {
  const [first, second] = node.inputs
  if (first?.kind === 'activation' && first === second)
    return { value: { kind: 'norm', of: first, channels: node.image()[0] } }
  const norm = first?.kind === 'norm' ? first : second?.kind === 'norm' ? second : null
  if (!norm) throw node.error('computes with what flows through the chain, which is not read')
  const refuse = () =>
    node.error('is no step of a LocalResponseNorm as PyTorch exports it, and is not read')
  const number = () => node.number(first?.kind === 'norm' ? 1 : 0, 'number')
  const next = (known: Partial<Norm>): Effect => ({ value: { ...norm, ...known } })
  const { size, averaged, alpha, k, beta } = norm
  switch (node.opType) {
    case 'Identity':
      return next({})
    // To [N, 1, C, H, W] and back.
    case 'Reshape': {
      node.int('allowzero', 0)
      const shape = await node.integers(1, 'shape')
      const before = size === undefined && shape.length === 5 && shape[1] === 1
      const after = averaged && shape.length === 4 && shape[1] === norm.channels
      if ((!before || shape[2] !== norm.channels) && !after) throw refuse()
      return next({})
    }
    case 'Unsqueeze':
    case 'Squeeze': {
      if ((await node.integersOrAttribute(1, 'axes'))?.join() !== '1') throw refuse()
      return next({})
    }
    case 'Pad': {
      const pads = await node.integers(1, 'pads')
      const value = node.input(2) ? await node.number(2, 'value') : 0
      const others = pads.filter((n, i) => i !== 2 && i !== 7 && n !== 0)
      const mode = node.text('mode', 'constant')
      if (pads.length !== 10 || others.length > 0 || pads[2] !== pads[7] || value !== 0)
        throw refuse()
      if (mode !== 'constant' || size !== undefined) throw refuse()
      return next({ size: 2 * Number(pads[2]) + 1 })
    }
    case 'AveragePool': {
      const is = (name: string, wanted: string) => node.ints(name, []).join() === wanted
      node.int('count_include_pad', 0)
      node.int('ceil_mode', 0)
      node.fixed('auto_pad', node.text('auto_pad', 'NOTSET'), 'NOTSET')
      const fits = is('kernel_shape', `${size},1,1`) && is('strides', '1,1,1')
      const plain = ['0,0,0,0,0,0', ''].some((pads) => is('pads', pads))
      const dense = ['1,1,1', ''].some((dilations) => is('dilations', dilations))
      if (!fits || !plain || !dense || averaged) throw refuse()
      return next({ averaged: true })
    }
    case 'Mul':
      if (!averaged || alpha !== undefined) throw refuse()
      return next({ alpha: await number() })
    case 'Add':
      if (alpha === undefined || k !== undefined) throw refuse()
      return next({ k: await number() })
    case 'Pow':
      if (k === undefined || beta !== undefined || first?.kind !== 'norm') throw refuse()
      return next({ beta: await number() })
    case 'Div': {
      const known = size !== undefined && alpha !== undefined && k !== undefined
      if (!known || beta === undefined || first !== norm.of) throw refuse()
      return { layers: [{ kind: 'lrn', size, alpha, beta, k }], shape: node.image() }
    }
    default:
      throw refuse()
  }
}
