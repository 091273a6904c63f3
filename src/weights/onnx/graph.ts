import {
  type GraphProto,
  type ModelProto,
  type NodeProto,
  TensorProto_DataType,
  type ValueInfoProto,
} from 'onnx-buf'
import { WeightsError } from '../../base/errors.ts'
import type { StateDict } from '../../base/stateDict.ts'
import { quote } from '../arrays.ts'
import type { WeightsFile } from '../safetensors.ts'
import { readModel } from './decode.ts'
import type { OnnxChain } from './layers.ts'
import { type FileName, nameLayers } from './names.ts'
import { NodeView, type Value } from './node.ts'
import { operators, type Unnamed } from './operators.ts'
import { producer } from './producer.ts'

/**
 * Reads an ONNX file as a chain of layers with their arrays. Nothing of the file is executed, and
 * every shape is checked on the way.
 *
 * @param bytes the whole file; operator set 7 (2018) or later
 * @throws WeightsError if the file is damaged, or, with the node's name, if it is not a chain of
 * Graft's operators
 * @example const { layers, metadata } = readOnnx(await readFile('alexnet.onnx'))
 */
export function readOnnx(bytes: Uint8Array): OnnxChain {
  const { model, graph } = readModel(bytes)
  checkOpset(model)
  if (graph.sparseInitializer.length > 0)
    throw new WeightsError('the file holds sparse initializers, which are not read')
  const values = new Map<string, Value>()
  for (const tensor of graph.initializer) {
    if (values.has(tensor.name))
      throw new WeightsError(
        `two initializers are named ${quote(tensor.name)}: the file is damaged`,
      )
    values.set(tensor.name, { kind: 'constant', tensor })
  }
  const { name, shape: input } = inputOf(graph, values)
  values.set(name, { kind: 'activation', shape: input })
  const { layers, names, head } = readChain(graph.node, values, name)
  const [output, ...others] = graph.output
  if (!output || others.length > 0)
    throw new WeightsError(`the graph has ${graph.output.length} outputs, and one is wanted`)
  if (output.name !== head)
    throw new WeightsError(
      `the graph's output ${quote(output.name)} is not what its last layer gives, ` +
        `${quote(head)}: only chains are read`,
    )
  if (layers.length === 0) throw new WeightsError('the graph has no layers')
  return {
    input,
    layers: nameLayers(layers, names, model.producerName === producer),
    metadata: metadataOf(model),
  }
}

/**
 * The arrays of an ONNX file by their parameters' names, as the other formats' readers give them.
 * @throws WeightsError as `readOnnx`
 */
export function readOnnxWeights(bytes: Uint8Array): WeightsFile {
  const chain = readOnnx(bytes)
  return { tensors: tensorsOf(chain), metadata: { ...chain.metadata } }
}

/** Weight and bias of every layer that has them. */
export function tensorsOf({ layers }: OnnxChain): StateDict {
  return Object.fromEntries(
    layers.flatMap((layer) =>
      layer.kind === 'conv' || layer.kind === 'linear'
        ? [
            [`${layer.name}.weight`, layer.weight],
            [`${layer.name}.bias`, layer.bias],
          ]
        : [],
    ),
  )
}

function checkOpset({ opsetImport }: ModelProto): void {
  const version = opsetImport.find(({ domain }) => isOnnxDomain(domain))?.version
  if (version === undefined)
    throw new WeightsError(
      'the file names no ONNX operator set: it is cut short or damaged; export it again',
    )
  if (version < 7n)
    throw new WeightsError(
      `the file is for ONNX operator set ${version}, and 7 or later is read; ` +
        'export it again with 13',
    )
}

function isOnnxDomain(domain: string): boolean {
  return domain === '' || domain === 'ai.onnx'
}

function metadataOf({ metadataProps, producerName }: ModelProto): Record<string, string> {
  const metadata = Object.fromEntries(metadataProps.map(({ key, value }) => [key, value]))
  // Graft writes its metadata last, sorted by name: if this one is missing, so is the file's end.
  if (producerName === producer && metadata.preprocess === undefined)
    throw new WeightsError('the file is cut short: its metadata are missing; export it again')
  return metadata
}

const floatTypes: ReadonlySet<number> = new Set([
  TensorProto_DataType.FLOAT,
  TensorProto_DataType.FLOAT16,
  TensorProto_DataType.BFLOAT16,
  TensorProto_DataType.DOUBLE,
])

/** The one input that is not an initializer. */
function inputOf(graph: GraphProto, values: ReadonlyMap<string, Value>) {
  const inputs = graph.input.filter(({ name }) => !values.has(name))
  const [input, ...others] = inputs
  if (!input || others.length > 0) {
    const names = inputs.slice(0, 4).map(({ name }) => quote(name))
    throw new WeightsError(
      `the graph has ${inputs.length} inputs${names.length ? ` (${names.join(', ')})` : ''}, ` +
        'and one is wanted',
    )
  }
  return { name: input.name, shape: imageOf(input) }
}

function imageOf({ name, type }: ValueInfoProto): readonly number[] {
  const tensor = type?.value.case === 'tensorType' ? type.value.value : null
  const label = `the input ${quote(name)}`
  if (!tensor || !floatTypes.has(tensor.elemType))
    throw new WeightsError(`${label} is not a tensor of floating-point numbers`)
  const { dim = [] } = tensor.shape ?? {} // a shape may be left out
  const dims = dim.map(({ value }) => (value.case === 'dimValue' ? Number(value.value) : null))
  const shown = dims.slice(0, 8).map((n) => n ?? '?')
  const [, ...image] = dims
  if (dims.length !== 4 || !image.every((n): n is number => n !== null && n > 0 && n <= 2 ** 20))
    throw new WeightsError(
      `${label} has the shape [${shown.join(', ')}], and [N, C, H, W] with known channels, ` +
        'height and width is wanted',
    )
  return image
}

interface Chain {
  readonly layers: readonly Unnamed[]
  /** The file's names of each layer. */
  readonly names: readonly FileName[]
  /** The name of the last layer's output. */
  readonly head: string
}

/** Follows the nodes in their order, which ONNX requires to be the order of computation. */
function readChain(nodes: readonly NodeProto[], values: Map<string, Value>, input: string): Chain {
  const givenBy = new Map(
    nodes.flatMap((node, i) => node.output.slice(0, 1).map((name): [string, number] => [name, i])),
  )
  const layers: Unnamed[] = []
  const names: FileName[] = []
  let head = input
  let openBias = false
  for (const [i, node] of nodes.entries()) {
    const label = labelOf(node, i)
    const [output = ''] = node.output
    if (output === '') throw new WeightsError(`${label} gives nothing: the file is damaged`)
    if (values.has(output))
      throw new WeightsError(
        `${label} gives ${quote(output)}, which exists already: the file is damaged`,
      )
    const operator =
      isOnnxDomain(node.domain) && Object.hasOwn(operators, node.opType)
        ? operators[node.opType]
        : undefined
    if (!operator) throw unknownOperator(node, label)
    const inputs = node.input.map((name) => {
      const value = name === '' ? null : values.get(name)
      if (value === undefined) throw notThere(label, name, givenBy, nodes)
      if (value?.kind === 'activation' && name !== head)
        throw new WeightsError(
          `${label} reads ${quote(name)}, which another node reads too: ` +
            'networks that branch are not read, only chains',
        )
      return value
    })
    const view = new NodeView(node, label, inputs)
    const effect = operator(view)
    view.refuseOthers()
    if ('value' in effect) {
      values.set(output, effect.value)
      if (effect.value.kind === 'activation') head = output
      continue
    }
    let shape: readonly number[]
    if ('layer' in effect) {
      layers.push(effect.layer)
      names.push({ node: node.name, weight: node.input[1] })
      shape = effect.shape
      openBias = effect.bias === 'open'
    } else {
      const last = layers.at(-1)
      if (!openBias || (last?.kind !== 'conv' && last?.kind !== 'linear'))
        throw view.error('adds to something else than a layer without bias, which is not read')
      layers[layers.length - 1] = { ...last, bias: effect.bias }
      shape = view.activation(view.input(0)?.kind === 'activation' ? 0 : 1)
      openBias = false
    }
    if (
      !shape.every((n) => Number.isSafeInteger(n) && n > 0) ||
      !Number.isSafeInteger(shape.reduce((a, b) => a * b, 1))
    )
      throw view.error(`would give [N, ${shape.join(', ')}]: its window is larger than its input`)
    values.set(output, { kind: 'activation', shape })
    head = output
  }
  return { layers, names, head }
}

function labelOf({ name, opType }: NodeProto, index: number): string {
  return `node ${name ? quote(name) : index + 1} (${quote(opType).slice(1, -1)})`
}

function unknownOperator({ domain, opType }: NodeProto, label: string): WeightsError {
  const operator = isOnnxDomain(domain) ? opType : `${domain}.${opType}`
  return new WeightsError(
    `${label}: Graft has no operator ${quote(operator)}; it reads chains of Conv, Relu, MaxPool, ` +
      'LRN, AveragePool, Flatten, Gemm, MatMul, Dropout and Softmax',
  )
}

/** Why a node's input does not exist. */
function notThere(
  label: string,
  name: string,
  givenBy: ReadonlyMap<string, number>,
  nodes: readonly NodeProto[],
): WeightsError {
  const at = givenBy.get(name)
  const node = at === undefined ? undefined : nodes[at]
  if (at === undefined || !node)
    return new WeightsError(
      `${label} reads ${quote(name)}, which is neither an initializer nor given by a node: ` +
        'the file is incomplete',
    )
  return new WeightsError(
    `${label} reads ${quote(name)} before ${labelOf(node, at)} gives it: ` +
      'the graph is cyclic, or its nodes are out of order',
  )
}
