import { pooledExtent } from '../../ops/window.ts'
import { product } from '../arrays.ts'
import type { Operator } from './effect.ts'
import type { NodeView } from './node.ts'
import { biasOf, outputsOf, requireShape, scaled, transpose, zeros } from './parameters.ts'
import { arithmetic, shapeOperators } from './shapeOperators.ts'
import { checkKernel, largest, paddingOf, squareOf } from './windows.ts'

type Shape4 = readonly [number, number, number, number]

/**
 * Every ONNX operator that Graft reads, as https://onnx.ai/onnx/operators/ defines them from opset
 * 7 on.
 */
export const operators: Readonly<Record<string, Operator>> = {
  async Conv(node) {
    const [channels, height, width] = node.image()
    const weight = await node.array(1, 'weight')
    const groups = node.int('group', 1)
    if (weight.shape.length !== 4 || !weight.shape.every((n) => n > 0))
      throw node.error(
        `has a weight of shape [${weight.shape.join(', ')}], not [O, C / groups, K, K]`,
      )
    const [out, depth, kernel, kernelX] = weight.shape as Shape4
    if (kernel !== kernelX)
      throw node.error(`has a kernel of ${kernel}x${kernelX}, and only square ones are read`)
    if (groups < 1 || channels % groups !== 0 || out % groups !== 0 || depth * groups !== channels)
      throw node.error(
        `has a weight of shape [${weight.shape.join(', ')}] in ${groups} groups, ` +
          `which does not fit ${channels} channels`,
      )
    checkKernel(node, kernel)
    const stride = squareOf(node, 'strides', [1, 1])
    node.fixed('dilation', squareOf(node, 'dilations', [1, 1]), 1)
    const [padding, behind] = paddingOf(node, [height, width], kernel, stride)
    if (padding !== behind)
      throw node.error(
        `pads ${padding} in front and ${behind} behind, and only the same on all sides is read`,
      )
    const bias = node.input(2) ? await node.array(2, 'bias') : null
    if (bias) requireShape(node, 'bias', bias, [out])
    const extent = (n: number) => Math.floor((n + 2 * padding - kernel) / stride) + 1
    const layer = {
      kind: 'conv',
      weight,
      bias: bias ?? zeros(out),
      stride,
      padding,
      groups,
    } as const
    return {
      layers: [layer],
      shape: [out, extent(height), extent(width)],
      ...(bias ? {} : { bias: 'open' }),
    }
  },

  Relu: (node) => ({ layers: [{ kind: 'relu' }], shape: node.activation() }),

  async Clip(node) {
    const bound = async (index: number, name: string, otherwise: number) =>
      node.input(index)
        ? node.number(index, name)
        : node.has(name)
          ? node.float(name, otherwise)
          : otherwise
    const [low, high] = [
      await bound(1, 'min', Number.NEGATIVE_INFINITY),
      await bound(2, 'max', Number.POSITIVE_INFINITY),
    ]
    if (low !== 0 || high < largestFloat)
      throw node.error(`clips to [${low}, ${high}], and only to 0 and more, as ReLU, is read`)
    return { layers: [{ kind: 'relu' }], shape: node.activation() }
  },

  MaxPool(node) {
    const [channels, height, width] = node.image()
    const kernel = checkKernel(node)
    const stride = squareOf(node, 'strides', [1, 1])
    node.fixed('dilation', squareOf(node, 'dilations', [1, 1]), 1)
    node.fixed('storage_order', node.int('storage_order', 0), 0)
    const [padding, behind] = paddingOf(node, [height, width], kernel, stride)
    const ceil = node.int('ceil_mode', 0) !== 0
    if (2 * padding > kernel)
      throw node.error(`pads ${padding} for a kernel of ${kernel}, and at most half of it is read`)
    const sizes = (ceilMode: boolean) =>
      [height, width].map((n) => pooledExtent(n, { kernel, stride, padding, ceilMode }))
    // Files of Caffe's networks have more padding behind than in front where the last window may
    // reach past the edge.
    const size = ceil
      ? sizes(true)
      : [height, width].map((n) => Math.floor((n + padding + behind - kernel) / stride) + 1)
    const ceilMode = size.join() !== sizes(false).join()
    if (size.join() !== sizes(ceilMode).join() || (ceil && padding !== behind))
      throw node.error(`pads ${padding} in front and ${behind} behind, which is not read`)
    return {
      layers: [{ kind: 'maxPool', kernel, stride, padding, ceilMode }],
      shape: [channels, ...size],
    }
  },

  AveragePool(node) {
    const [channels, height, width] = node.image()
    const kernel = checkKernel(node)
    const stride = squareOf(node, 'strides', [1, 1])
    const [padding, behind] = paddingOf(node, [height, width], kernel, stride)
    // Without padding count_include_pad has no effect, and neither has ceil_mode if the windows
    // divide the image.
    node.int('count_include_pad', 0)
    node.int('ceil_mode', 0)
    node.fixed('dilation', squareOf(node, 'dilations', [1, 1]), 1)
    // One window over the whole image has no next one, whatever the stride.
    const all = kernel === height && kernel === width && padding + behind === 0
    if (all)
      return {
        layers: [{ kind: 'averagePool', size: [1, 1], window: 'all' }],
        shape: [channels, 1, 1],
      }
    if (kernel !== stride || padding + behind > 0 || height % kernel !== 0 || width % kernel !== 0)
      throw node.error(
        'averages windows that overlap, are padded or do not divide ' +
          `${height}x${width}, which is not read`,
      )
    const size = [height / kernel, width / kernel] as const
    return { layers: [{ kind: 'averagePool', size, window: kernel }], shape: [channels, ...size] }
  },

  GlobalAveragePool(node) {
    const [channels] = node.image()
    return {
      layers: [{ kind: 'averagePool', size: [1, 1], window: 'all' }],
      shape: [channels, 1, 1],
    }
  },

  GlobalMaxPool(node) {
    const [channels, height, width] = node.image()
    if (height !== width)
      throw node.error(`takes the maximum of ${height}x${width}, and only square images are read`)
    const layer = {
      kind: 'maxPool',
      kernel: height,
      stride: height,
      padding: 0,
      ceilMode: false,
    } as const
    return { layers: [layer], shape: [channels, 1, 1] }
  },

  /** The mean over height and width, as x.mean((2, 3)) of PyTorch exports it. */
  async ReduceMean(node) {
    const [channels] = node.image()
    const axes = (await node.integersOrAttribute(1, 'axes')) ?? []
    const [keep, noop] = [node.int('keepdims', 1) !== 0, node.int('noop_with_empty_axes', 0) !== 0]
    if (axes.length === 0 && noop) return { value: { kind: 'activation', shape: node.image() } }
    const found = axes.map((axis) => (axis < 0 ? axis + 4 : axis)).sort((a, b) => a - b)
    if (found.join() !== '2,3')
      throw node.error(
        `averages over the axes [${axes.slice(0, 8).join(', ')}], ` +
          'and only height and width together are read',
      )
    const mean = { kind: 'averagePool', size: [1, 1], window: 'all' } as const
    return keep
      ? { layers: [mean], shape: [channels, 1, 1] }
      : { layers: [mean, { kind: 'flatten' }], shape: [channels] }
  },

  LRN(node) {
    const size = node.int('size', 0)
    // An even window lies one channel further on in ONNX than in PyTorch.
    if (size < 1 || size > largest || size % 2 === 0)
      throw node.error(`has a window of ${size} channels, and only odd ones are read`)
    const [alpha, beta, k] = [
      node.float('alpha', 1e-4),
      node.float('beta', 0.75),
      node.float('bias', 1),
    ]
    return { layers: [{ kind: 'lrn', size, alpha, beta, k }], shape: node.image() }
  },

  async Gemm(node) {
    const inputs = vector(node)
    node.fixed('transA', node.int('transA', 0), 0)
    const transposed = node.int('transB', 0) !== 0
    const [alpha, beta] = [node.float('alpha', 1), node.float('beta', 1)]
    const given = await node.array(1, 'weight')
    const weight = scaled(transposed ? given : transpose(node, given), alpha)
    const out = outputsOf(node, weight, inputs)
    const bias = node.input(2) ? scaled(biasOf(node, await node.array(2, 'bias'), out), beta) : null
    const layer = { kind: 'linear', weight, bias: bias ?? zeros(out) } as const
    return { layers: [layer], shape: [out], ...(bias ? {} : { bias: 'open' }) }
  },

  async MatMul(node) {
    const inputs = vector(node)
    const weight = transpose(node, await node.array(1, 'weight'))
    const out = outputsOf(node, weight, inputs)
    const layer = { kind: 'linear', weight, bias: zeros(out) } as const
    return { layers: [layer], shape: [out], bias: 'open' }
  },

  async Add(node) {
    const [first, second] = [node.input(0), node.input(1)]
    const flowing = [first, second].filter((value) => value?.kind === 'activation').length
    if (flowing === 0) return arithmetic(node, (a, b) => a + b)
    if (flowing > 1) throw node.error('adds something else than a bias, which is not read')
    const place = first?.kind === 'activation' ? 1 : 0
    const [out, ...window] = node.activation(1 - place)
    if (out === undefined) throw node.error('adds to a single number, which is not read')
    return { bias: biasOf(node, await node.array(place, 'bias'), out, window.length) }
  },

  Flatten(node) {
    const shape = node.activation()
    const axis = node.int('axis', 1)
    node.fixed('axis', axis < 0 ? axis + shape.length + 1 : axis, 1)
    return { layers: [{ kind: 'flatten' }], shape: [product(shape)] }
  },

  async Dropout(node) {
    const shape = node.activation()
    node.int('seed', 0)
    const attribute = node.float('ratio', 0.5)
    const ratio = node.input(1) ? await node.number(1, 'ratio') : attribute
    if (!(ratio >= 0 && ratio < 1))
      throw node.error(`drops with probability ${ratio}, which is not at least 0 and less than 1`)
    // forward() decides whether it drops; the file's training_mode is not used.
    return { layers: [{ kind: 'dropout', p: ratio }], shape }
  },

  Softmax: (node) => ({ layers: [{ kind: 'softmax' }], shape: probabilities(node) }),

  LogSoftmax: (node) => ({ layers: [{ kind: 'logSoftmax' }], shape: probabilities(node) }),

  ...shapeOperators,
}

/** The largest finite float32: the bound that exporters write where there is none. */
const largestFloat = 3.4e38

/** The number of features that a dense layer takes. */
function vector(node: NodeView): number {
  const [features, ...others] = node.activation()
  if (features === undefined || others.length > 0)
    throw node.error(`takes [N, ${node.activation().join(', ')}], and only [N, features] is read`)
  return features
}

/** The shape of a softmax over all outputs. */
function probabilities(node: NodeView): readonly [number] {
  const features = vector(node)
  const axis = node.int('axis', -1)
  node.fixed('axis', axis < 0 ? axis + 2 : axis, 1)
  return [features]
}
