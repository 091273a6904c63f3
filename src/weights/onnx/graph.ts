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
import type { WeightsPlace } from '../place.ts'
import type { WeightsFile } from '../safetensors.ts'
import { readModel } from './decode.ts'
import type { Unnamed } from './effect.ts'
import { inlined, isOnnxDomain } from './functions.ts'
import type { OnnxChain } from './layers.ts'
import { type FileName, nameLayers } from './names.ts'
import { NodeView, type Value } from './node.ts'
import { isNormStep, normStep } from './norm.ts'
import { operators } from './operators.ts'
import { producer } from './producer.ts'
import type { Tensors } from './tensors.ts'

/**
 * Images are this large where the file leaves it open: the first size at which its layers fit
 * together. 224: torchvision, 227: Caffe, 64: alexnet-64.
 */
const usualSizes = [224, 227, 64]

/**
 * Reads an ONNX file as a chain of layers with their arrays. Nothing of the file is executed, and
 * every shape is checked on the way. Only the arrays that the chain uses are read, from the file
 * itself or from other files of its folder.
 *
 * @param place the open file; operator set 7 (2018) or later
 * @param size of an image, height and width, where the file leaves it open
 * @throws WeightsError if the file is damaged, or, with the node's name, if it is not a chain of
 * Graft's operators
 * @example const { layers, metadata } = await readOnnx(bytesPlace(await readFile('alexnet.onnx')))
 */
export async function readOnnx(place: WeightsPlace, size?: number): Promise<OnnxChain> {
  const { model, graph, tensors } = await readModel(place)
  checkOpset(model)
  if (graph.sparseInitializer.length > 0)
    throw new WeightsError('the file holds sparse initializers, which are not read')
  const constants = new Map<string, Value>()
  for (const tensor of graph.initializer) {
    if (constants.has(tensor.name))
      throw new WeightsError(
        `two initializers are named ${quote(tensor.name)}: the file is damaged`,
      )
    constants.set(tensor.name, { kind: 'constant', constant: tensors.constant(tensor) })
  }
  const metadata = metadataOf(model)
  const { name, channels, height, width } = inputOf(graph, constants)
  const nodes = inlined(graph.node, model)
  let refusal: unknown
  for (const side of size ? [size] : usualSizes) {
    const input = [channels, height ?? side, width ?? side]
    const values = new Map(constants).set(name, { kind: 'activation', shape: input })
    try {
      const { layers, names, head } = await readChain(nodes, values, name, tensors)
      checkOutput(graph, head)
      if (layers.length === 0) throw new WeightsError('the graph has no layers')
      const own = model.producerName === producer
      return { input, layers: nameLayers(layers, names, own), metadata }
    } catch (error) {
      if (height !== null) throw error
      refusal ??= error
    }
  }
  throw refusal
}

/**
 * The arrays of an ONNX file by their parameters' names, as the other formats' readers give them.
 * @throws WeightsError as `readOnnx`
 */
export async function readOnnxWeights(place: WeightsPlace): Promise<WeightsFile> {
  const chain = await readOnnx(place)
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

function checkOutput({ output }: GraphProto, head: string): void {
  const [only, ...others] = output
  if (!only || others.length > 0)
    throw new WeightsError(`the graph has ${output.length} outputs, and one is wanted`)
  if (only.name !== head)
    throw new WeightsError(
      `the graph's output ${quote(only.name)} is not what its last layer gives, ` +
        `${quote(head)}: only chains are read`,
    )
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
  return { name: input.name, ...imageOf(input) }
}

/** Height and width are null where the file leaves them open. */
function imageOf({ name, type }: ValueInfoProto) {
  const tensor = type?.value.case === 'tensorType' ? type.value.value : null
  const label = `the input ${quote(name)}`
  if (!tensor || !floatTypes.has(tensor.elemType))
    throw new WeightsError(`${label} is not a tensor of floating-point numbers`)
  const { dim = [] } = tensor.shape ?? {} // a shape may be left out
  const dims = dim.map(({ value }) => (value.case === 'dimValue' ? Number(value.value) : null))
  const shown = dims.slice(0, 8).map((n) => n ?? '?')
  const [, channels = null, height = null, width = null] = dims
  const known = (n: number | null) => n !== null && n > 0 && n <= 2 ** 20
  if (dims.length !== 4 || channels === null || ![channels, height ?? 1, width ?? 1].every(known))
    throw new WeightsError(
      `${label} has the shape [${shown.join(', ')}], and [N, C, H, W] with known channels ` +
        'is wanted',
    )
  // Images are square: one of the two says the other.
  return { channels, height: height ?? width, width: width ?? height }
}

interface Chain {
  readonly layers: readonly Unnamed[]
  /** The file's names of each layer. */
  readonly names: readonly FileName[]
  /** The name of the last layer's output. */
  readonly head: string
}

/** Follows the nodes in their order, which ONNX requires to be the order of computation. */
async function readChain(
  nodes: readonly NodeProto[],
  values: Map<string, Value>,
  input: string,
  tensors: Tensors,
): Promise<Chain> {
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
    const inputs = node.input.map((name) => {
      const value = name === '' ? null : values.get(name)
      if (value === undefined) throw notThere(label, name, givenBy, nodes)
      // Only the shape is read, and nothing branches.
      if (value?.kind === 'activation' && name !== head && node.opType !== 'Shape')
        throw new WeightsError(
          `${label} reads ${quote(name)}, which another node reads too: ` +
            'networks that branch are not read, only chains',
        )
      return value
    })
    const view = new NodeView(node, label, inputs, tensors)
    const isStep = isOnnxDomain(node.domain) && isNormStep(node.opType, inputs)
    if (!operator && !isStep) throw unknownOperator(node, label)
    const effect = await (isStep || !operator ? normStep(view) : operator(view))
    view.refuseOthers()
    if ('value' in effect) {
      values.set(output, effect.value)
      if (effect.value.kind === 'activation') head = output
      continue
    }
    let shape: readonly number[]
    if ('layers' in effect) {
      layers.push(...effect.layers)
      const name = { node: node.name, weight: node.input[1], module: moduleOf(node) }
      names.push(...effect.layers.map(() => name))
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

/** The innermost module of PyTorch's scopes: ['', 'features', 'features.0', 'conv2d']. */
function moduleOf({ metadataProps }: NodeProto): string {
  const scopes = metadataProps.find(({ key }) => key === 'pkg.torch.onnx.name_scopes')?.value ?? ''
  return /'([^']*)', '[^']*'\]$/.exec(scopes)?.[1] ?? ''
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
