import type { NamedArray } from '../../base/stateDict.ts'
import { pooledExtent } from '../../ops/maxPool2d.ts'
import { gather, product } from '../arrays.ts'
import type { LayerSpec } from './layers.ts'
import { decimal, type NodeView, type Value } from './node.ts'

type Distribute<T> = T extends unknown ? Omit<T, 'name'> : never
/** A layer before it has its name. */
export type Unnamed = Distribute<LayerSpec>

/** The effect of a node on the chain. */
export type Effect =
  /** A layer at the chain's end, and the shape it gives for one image. */
  | { readonly layer: Unnamed; readonly shape: readonly number[]; readonly bias?: 'open' }
  /** A bias for the layer at the chain's end. */
  | { readonly bias: NamedArray }
  /** No computation: another name for a known value. */
  | { readonly value: Value }

type Operator = (node: NodeView) => Effect
type Shape4 = readonly [number, number, number, number]

/** The largest integer that an attribute may have. */
const largest = 2 ** 20

/**
 * Every ONNX operator that Graft reads, as https://onnx.ai/onnx/operators/ defines them from opset
 * 7 on.
 */
export const operators: Readonly<Record<string, Operator>> = {
  Conv(node) {
    const [channels, height, width] = node.image()
    const weight = node.array(1, 'weight')
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
    const bias = node.input(2) ? node.array(2, 'bias') : null
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
    return { layer, shape: [out, extent(height), extent(width)], ...(bias ? {} : { bias: 'open' }) }
  },

  Relu: (node) => ({ layer: { kind: 'relu' }, shape: node.activation() }),

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
    const ceilMode = !same(size, sizes(false))
    if (!same(size, sizes(ceilMode)) || (ceil && padding !== behind))
      throw node.error(`pads ${padding} in front and ${behind} behind, which is not read`)
    return {
      layer: { kind: 'maxPool', kernel, stride, padding, ceilMode },
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
    if (kernel !== stride || padding + behind > 0 || height % kernel !== 0 || width % kernel !== 0)
      throw node.error(
        'averages windows that overlap, are padded or do not divide ' +
          `${height}x${width}, which is not read`,
      )
    const size = [height / kernel, width / kernel] as const
    return { layer: { kind: 'averagePool', size, window: kernel }, shape: [channels, ...size] }
  },

  GlobalAveragePool(node) {
    const [channels] = node.image()
    return { layer: { kind: 'averagePool', size: [1, 1], window: 'all' }, shape: [channels, 1, 1] }
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
    return { layer: { kind: 'lrn', size, alpha, beta, k }, shape: node.image() }
  },

  Gemm(node) {
    const inputs = vector(node)
    node.fixed('transA', node.int('transA', 0), 0)
    const transposed = node.int('transB', 0) !== 0
    const [alpha, beta] = [node.float('alpha', 1), node.float('beta', 1)]
    const given = node.array(1, 'weight')
    const weight = scaled(transposed ? given : transpose(node, given), alpha)
    const out = outputsOf(node, weight, inputs)
    const bias = node.input(2) ? scaled(biasOf(node, node.array(2, 'bias'), out), beta) : null
    const layer = { kind: 'linear', weight, bias: bias ?? zeros(out) } as const
    return { layer, shape: [out], ...(bias ? {} : { bias: 'open' }) }
  },

  MatMul(node) {
    const inputs = vector(node)
    const weight = transpose(node, node.array(1, 'weight'))
    const out = outputsOf(node, weight, inputs)
    return { layer: { kind: 'linear', weight, bias: zeros(out) }, shape: [out], bias: 'open' }
  },

  Add(node) {
    const [first, second] = [node.input(0), node.input(1)]
    const place = first?.kind === 'constant' ? 0 : 1
    if ([first, second].filter((value) => value?.kind === 'activation').length !== 1)
      throw node.error('adds something else than a bias, which is not read')
    const [out, ...window] = node.activation(1 - place)
    if (out === undefined) throw node.error('adds to a single number, which is not read')
    return { bias: biasOf(node, node.array(place, 'bias'), out, window.length) }
  },

  Flatten(node) {
    const shape = node.activation()
    const axis = node.int('axis', 1)
    node.fixed('axis', axis < 0 ? axis + shape.length + 1 : axis, 1)
    return { layer: { kind: 'flatten' }, shape: [product(shape)] }
  },

  Reshape(node) {
    const shape = node.activation()
    const wanted = node.input(1)
    node.fixed('allowzero', node.int('allowzero', 0), 0)
    const extents = wanted?.kind === 'extents' ? wanted.values : node.integers(1, 'shape')
    const [batch, features] = extents
    const flat =
      extents.length === 2 &&
      (features === -1 || features === product(shape) || (features === 0 && shape.length === 1))
    // A number in the first place is the batch that the file was exported with.
    const whole =
      batch === 'batch' || batch === 0 || batch === -1 || (typeof batch === 'number' && batch > 0)
    if (!flat || !whole || (batch === -1 && features === -1))
      throw node.error(
        `reshapes [N, ${shape.join(', ')}] to [${extents.join(', ')}], ` +
          'and only flattening all but the batch is read',
      )
    return { layer: { kind: 'flatten' }, shape: [product(shape)] }
  },

  Dropout(node) {
    const shape = node.activation()
    node.int('seed', 0)
    const attribute = node.float('ratio', 0.5)
    const [given = Number.NaN] = node.input(1) ? node.array(1, 'ratio').data : [attribute]
    const ratio = decimal(given)
    if (!(ratio >= 0 && ratio < 1))
      // NaN included: an empty array has no ratio
      throw node.error(`drops with probability ${ratio}, which is not at least 0 and less than 1`)
    // forward() decides whether it drops; the file's training_mode is not used.
    return { layer: { kind: 'dropout', p: ratio }, shape }
  },

  Softmax(node) {
    const shape = [vector(node)]
    const axis = node.int('axis', -1)
    node.fixed('axis', axis < 0 ? axis + 2 : axis, 1)
    return { layer: { kind: 'softmax' }, shape }
  },

  Identity: (node) => ({ value: node.input(0) ?? fail(node) }),

  Constant(node) {
    const [tensor, values] = [node.tensor('value'), node.ints('value_ints', [])]
    if (tensor) return { value: { kind: 'constant', tensor } }
    if (values.length === 0 || values.length > 8)
      throw node.error('holds neither a tensor nor a shape, which is not read')
    return { value: { kind: 'extents', values } }
  },

  // A shape that is computed, as view(x.size(0), -1) of PyTorch exports it.
  Shape: (node) => ({ value: { kind: 'extents', values: ['batch', ...node.activation()] } }),

  Gather(node) {
    const values = extentsOf(node, 0)
    const indices = node.integers(1, 'indices')
    node.fixed('axis', node.int('axis', 0), 0)
    return {
      value: {
        kind: 'extents',
        values: indices.map((i) => values[i < 0 ? i + values.length : i] ?? fail(node)),
      },
    }
  },

  Unsqueeze(node) {
    node.ints('axes', [])
    return { value: { kind: 'extents', values: extentsOf(node, 0) } }
  },

  Concat(node) {
    node.fixed('axis', node.int('axis', 0), 0)
    const values: (number | 'batch')[] = []
    for (let i = 0; node.input(i); i++) values.push(...extentsOf(node, i))
    if (values.length > 8)
      throw node.error(`makes a shape of ${values.length} extents, which no tensor here has`)
    return { value: { kind: 'extents', values } }
  },
}

function fail(node: NodeView): never {
  throw node.error('reads something that is not there: the file is damaged')
}

/** A shape, computed or constant. */
function extentsOf(node: NodeView, index: number): readonly (number | 'batch')[] {
  const value = node.input(index)
  if (value?.kind === 'activation')
    throw node.error('rearranges what flows through the chain, which is not read')
  return value?.kind === 'extents' ? value.values : node.integers(index, 'shape')
}

/** The number of features that a dense layer takes. */
function vector(node: NodeView): number {
  const [features, ...others] = node.activation()
  if (features === undefined || others.length > 0)
    throw node.error(`takes [N, ${node.activation().join(', ')}], and only [N, features] is read`)
  return features
}

/** An attribute of one number for each axis of the image, all the same. */
function squareOf(node: NodeView, name: string, otherwise: readonly number[]): number {
  const values = node.ints(name, otherwise)
  const [first, second] = values
  if (first === undefined || values.length !== 2 || second !== first)
    throw node.error(`has ${name} ${values.slice(0, 4).join('x')}, and only square ones are read`)
  if (!(first >= 1 && first <= largest))
    throw node.error(`has ${name} of ${first}: the file is damaged`)
  return first
}

/** `kernel_shape`, which a convolution's weight says too. */
function checkKernel(node: NodeView, weight?: number): number {
  const kernel = squareOf(node, 'kernel_shape', weight ? [weight, weight] : [])
  if (weight !== undefined && kernel !== weight)
    throw node.error(`says a kernel of ${kernel}, and its weight is for ${weight}`)
  return kernel
}

/** Padding before and behind, the same for height and width. */
function paddingOf(
  node: NodeView,
  extents: readonly [number, number],
  kernel: number,
  stride: number,
): readonly [number, number] {
  const auto = node.text('auto_pad', 'NOTSET')
  const pads = node.ints('pads', [0, 0, 0, 0])
  if (!['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'].includes(auto))
    throw node.error(`has auto_pad ${JSON.stringify(auto.slice(0, 40))}, which does not exist`)
  const same = extents.map((n): readonly [number, number] => {
    const total = Math.max((Math.ceil(n / stride) - 1) * stride + kernel - n, 0)
    const before = auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2)
    return [before, total - before]
  }) as [readonly [number, number], readonly [number, number]]
  const [[sameTop, sameBottom], [sameLeft, sameRight]] = same
  const sides =
    auto === 'NOTSET'
      ? pads
      : auto === 'VALID'
        ? [0, 0, 0, 0]
        : [sameTop, sameLeft, sameBottom, sameRight]
  const [top, left, bottom, right] = sides as Shape4
  if (pads.length !== 4 || top !== left || bottom !== right)
    throw node.error(
      `pads [${pads.slice(0, 8).join(', ')}], and only the same for height and width is read`,
    )
  if (!(top >= 0 && top <= largest && bottom >= 0 && bottom <= largest))
    throw node.error(`pads ${top} and ${bottom}: the file is damaged`)
  return [top, bottom]
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.every((n, i) => n === b[i])
}

function zeros(n: number): NamedArray {
  return { shape: [n], data: new Float32Array(n) }
}

function requireShape(
  node: NodeView,
  what: string,
  { shape }: NamedArray,
  wanted: readonly number[],
): void {
  if (shape.length !== wanted.length || !same(shape, wanted))
    throw node.error(`has a ${what} of shape [${shape.join(', ')}], not [${wanted.join(', ')}]`)
}

/** The number of outputs of a dense layer's weight, [out, in]. */
function outputsOf(node: NodeView, { shape }: NamedArray, inputs: number): number {
  const [out, taken = 'no', ...others] = shape
  if (!out || taken !== inputs || others.length > 0)
    throw node.error(`has a weight for ${taken} inputs, and the layer before it gives ${inputs}`)
  return out
}

/** A bias that broadcasts over the batch and over the image behind the channels. */
function biasOf(
  node: NodeView,
  { shape, data, dtype }: NamedArray,
  out: number,
  window = 0,
): NamedArray {
  const behind = shape.slice(shape.length - window)
  const before = shape.slice(0, shape.length - window)
  const fits =
    behind.every((n) => n === 1) &&
    before.at(-1) === out &&
    before.slice(0, -1).every((n) => n === 1)
  if (shape.length < window + 1 || shape.length > window + 2 || !fits)
    throw node.error(
      `has a bias of shape [${shape.join(', ')}], ` +
        `which is not one number for each of ${out} outputs`,
    )
  return { shape: [out], data, dtype }
}

/** [in, out] as [out, in]. */
function transpose(node: NodeView, { shape, data, dtype }: NamedArray): NamedArray {
  const [rows, columns, ...others] = shape
  if (rows === undefined || columns === undefined || others.length > 0)
    throw node.error(`has a weight of shape [${shape.join(', ')}], not [in, out]`)
  return { shape: [columns, rows], data: gather(data, [columns, rows], [1, columns]), dtype }
}

function scaled(array: NamedArray, factor: number): NamedArray {
  return factor === 1 ? array : { ...array, data: array.data.map((value) => value * factor) }
}
