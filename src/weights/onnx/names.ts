import { at } from '../../base/at.ts'
import type { Unnamed } from './effect.ts'
import type { LayerSpec } from './layers.ts'

/** A layer's node and its weight as the file names them; not every layer has a weight. */
export interface FileName {
  readonly node: string
  readonly weight: string | undefined
  /** The module that PyTorch made the node for, where the file says it: 'features.0'. */
  readonly module: string
}

/** torchvision's numbers of AlexNet's convolutions, and of its dense layers from the last one. */
const convolutions = [0, 3, 6, 8, 10]
const dense = [6, 4, 1]

/**
 * Names a chain's layers. A chain shaped like AlexNet gets torchvision's names, so that scenarios
 * and state dictionaries know it whatever program exported it; others keep the file's names.
 * @param own whether Graft wrote the file, so that its nodes have the layers' names
 */
export function nameLayers(
  layers: readonly Unnamed[],
  names: readonly FileName[],
  own: boolean,
): LayerSpec[] {
  const known = own ? null : alexnetNames(layers)
  const used = new Set<string>()
  return layers.map((layer, i) => {
    const wanted = known?.[i] ?? fileName(layer, at(names, i))
    let name = wanted
    for (let n = 2; used.has(name); n++) name = `${wanted}_${n}`
    used.add(name)
    return { ...layer, name } as LayerSpec
  })
}

/**
 * The weight's name without its ending, or PyTorch's module, which may be a part of the node's name
 * ('/features/features.1/Relu'), or the operator's.
 */
function fileName({ kind }: Unnamed, { node, weight, module }: FileName): string {
  if ((kind === 'conv' || kind === 'linear') && weight && /.\.weight$/.test(weight))
    return weight.slice(0, -'.weight'.length)
  if (module) return module
  const parts = node.split('/').filter((part) => part !== '')
  return (node.startsWith('/') && parts.length > 1 ? parts.at(-2) : node) || kind
}

/**
 * torchvision's names, where there are five convolutions and then one to three dense layers; LRN
 * takes no number.
 */
function alexnetNames(layers: readonly Unnamed[]): string[] | null {
  const count = (kind: Unnamed['kind']) => layers.filter((layer) => layer.kind === kind).length
  const denseCount = count('linear')
  const firstDense = layers.findIndex((layer) => layer.kind === 'linear')
  const lastConvolution = layers.findLastIndex((layer) => layer.kind === 'conv')
  if (count('conv') !== 5 || denseCount < 1 || denseCount > 3 || firstDense < lastConvolution)
    return null
  let [convolution, denseSeen] = [-1, 0]
  let last = 'input'
  return layers.map(({ kind }) => {
    if (kind === 'conv') last = `features.${convolutions[++convolution]}`
    else if (kind === 'linear') last = `classifier.${dense[denseCount - ++denseSeen]}`
    if (kind === 'conv' || kind === 'linear') return last
    if (kind === 'averagePool') return 'avgpool'
    if (kind === 'flatten') return 'flatten'
    if (kind === 'softmax' || kind === 'logSoftmax') return kind
    const [part, number] = last.split('.')
    const after = (steps: number) => `${part}.${Number(number) + steps}`
    if (kind === 'relu') return after(1)
    if (kind === 'maxPool') return after(2)
    if (kind === 'lrn') return `${after(1)}.lrn`
    // A dropout comes before a dense layer in torchvision and after a ReLU in Caffe; before the
    // first dense layer there is only torchvision's.
    return denseSeen === 0 ? 'classifier.0' : `${after(1)}.dropout`
  })
}
