import { TensorProto_DataType } from 'onnx-buf'
import { at } from '../../base/at.ts'
import { WeightsError } from '../../base/errors.ts'
import type { NamedArray } from '../../base/stateDict.ts'
import { contiguousStrides, gather, product } from '../arrays.ts'
import type { Effect, Operator } from './effect.ts'
import type { NodeView, Value } from './node.ts'
import type { Constant } from './tensors.ts'

type Extent = number | 'batch'

/** The most extents of a shape. */
const maxExtents = 8

/**
 * The operators that compute no layer: they give shapes, or another view of a constant or of what
 * flows through the chain.
 */
export const shapeOperators: Readonly<Record<string, Operator>> = {
  Identity: (node) => ({ value: node.input(0) ?? nothing(node) }),

  Constant(node) {
    const tensor = node.tensor('value')
    if (tensor) return { value: { kind: 'constant', constant: tensor } }
    const floats = node.floats('value_floats')
    if (floats)
      return { value: constantOf({ shape: [floats.length], data: Float32Array.from(floats) }) }
    if (node.has('value_float'))
      return {
        value: constantOf({ shape: [], data: Float32Array.of(node.float('value_float', 0)) }),
      }
    if (node.has('value_int')) return extents(node, [node.int('value_int', 0)])
    return extents(node, node.ints('value_ints', []))
  },

  // A shape that is computed, as view(x.size(0), -1) of PyTorch exports it.
  Shape(node) {
    const value = node.input(0)
    const all: readonly Extent[] =
      value?.kind === 'constant' ? value.constant.shape : ['batch', ...node.activation()]
    const [start, end] = [node.int('start', 0), node.int('end', all.length)]
    return { value: { kind: 'extents', values: all.slice(start, end) } }
  },

  async Gather(node) {
    const values = await node.extents(0, 'shape')
    const indices = await node.integers(1, 'indices')
    node.fixed('axis', node.int('axis', 0), 0)
    return extents(
      node,
      indices.map((i) => values[i < 0 ? i + values.length : i] ?? nothing(node)),
    )
  },

  async Slice(node) {
    const values = await node.extents(0, 'shape')
    const part = async (index: number, name: string) => {
      const found = await node.integersOrAttribute(index, name)
      return found && found.length === 1 ? at(found, 0) : null
    }
    const [start, end] = [await part(1, 'starts'), await part(2, 'ends')]
    node.fixed('axes', (await part(3, 'axes')) ?? 0, 0)
    node.fixed('steps', (await part(4, 'steps')) ?? 1, 1)
    if (start === null || end === null)
      throw node.error('slices more than one axis, which is not read')
    return extents(node, values.slice(start, end))
  },

  async Concat(node) {
    node.fixed('axis', node.int('axis', 0), 0)
    const values: Extent[] = []
    for (const i of node.inputs.keys()) {
      values.push(...(await node.extents(i, 'shape')))
      if (values.length > maxExtents)
        throw node.error(`makes a shape of ${values.length} extents, which no tensor here has`)
    }
    return extents(node, values)
  },

  async Unsqueeze(node) {
    const axes = await node.integersOrAttribute(1, 'axes')
    const value = node.input(0)
    if (value?.kind !== 'constant' || value.constant.whole)
      return extents(node, await node.extents(0, 'shape'))
    const shape = [...value.constant.shape]
    for (const axis of [...(axes ?? [])].sort((a, b) => a - b))
      shape.splice(axis < 0 ? axis + shape.length + 1 : axis, 0, 1)
    return { value: reshaped(node, value.constant, shape) }
  },

  async Squeeze(node) {
    const axes = await node.integersOrAttribute(1, 'axes')
    const value = node.input(0)
    if (value?.kind === 'activation') {
      const { shape } = value
      const gone = axes?.map((axis) => (axis < 0 ? axis + shape.length : axis - 1))
      const left = shape.filter((n, i) => !(gone ? gone.includes(i) : n === 1 && i > 0))
      if (gone?.some((i) => shape[i] !== 1))
        throw node.error(`removes axes of [N, ${shape.join(', ')}] that are not of size 1`)
      return viewed(node, left)
    }
    if (value?.kind !== 'constant' || value.constant.whole)
      return extents(node, await node.extents(0, 'shape'))
    const { shape } = value.constant
    const gone = axes?.map((axis) => (axis < 0 ? axis + shape.length : axis))
    const left = shape.filter((n, i) => !(gone ? gone.includes(i) : n === 1))
    return { value: reshaped(node, value.constant, left) }
  },

  async Reshape(node) {
    const zeroIsZero = node.int('allowzero', 0) !== 0
    const value = node.input(0)
    const wanted = await node.extents(1, 'shape')
    if (value?.kind === 'activation') return reshapedActivation(node, wanted, zeroIsZero)
    if (value?.kind !== 'constant' || value.constant.whole)
      return extents(node, await node.extents(0, 'shape'))
    const { shape } = value.constant
    const known = (await node.integers(1, 'shape')).map((n, i) =>
      n === 0 && !zeroIsZero ? at(shape, i) : n,
    )
    const rest = product(known.filter((n) => n !== -1))
    return {
      value: reshaped(
        node,
        value.constant,
        known.map((n) => (n === -1 ? product(shape) / rest : n)),
      ),
    }
  },

  async Transpose(node) {
    const value = node.input(0)
    if (value?.kind !== 'constant')
      throw node.error('rearranges what flows through the chain, which is not read')
    const { constant } = value
    const { shape } = constant
    const perm = node.ints('perm', [...shape.keys()].reverse())
    if (perm.length !== shape.length || !shape.every((_, i) => perm.includes(i)))
      throw node.error(`has perm [${perm.slice(0, maxExtents).join(', ')}]: the file is damaged`)
    const strides = contiguousStrides(shape)
    const [to, by] = [perm.map((i) => at(shape, i)), perm.map((i) => at(strides, i))]
    return {
      value: derived(constant, to, ({ data, dtype }) => ({
        shape: to,
        data: gather(data, to, by),
        dtype,
      })),
    }
  },

  // Numbers are float32 here, and integers are those of shapes: neither changes by it.
  Cast(node) {
    const [to, value] = [node.int('to', 0), node.input(0) ?? nothing(node)]
    node.int('saturate', 1)
    if (value.kind === 'activation' && !floatTypes.has(to))
      throw node.error('makes other numbers than floats of what flows through the chain')
    return { value }
  },

  Sub: (node) => arithmetic(node, (a, b) => a - b),
  Mul: (node) => arithmetic(node, (a, b) => a * b),
  Div: (node) => arithmetic(node, (a, b) => Math.trunc(a / b)),
}

const floatTypes: ReadonlySet<number> = new Set([
  TensorProto_DataType.FLOAT,
  TensorProto_DataType.FLOAT16,
  TensorProto_DataType.BFLOAT16,
  TensorProto_DataType.DOUBLE,
])

/** Computes with shapes. */
export async function arithmetic(
  node: NodeView,
  compute: (a: number, b: number) => number,
): Promise<Effect> {
  if (node.inputs.some((value) => value?.kind === 'activation'))
    throw node.error('computes with what flows through the chain, which is not read')
  const [first, second] = [await node.integers(0, 'shape'), await node.integers(1, 'shape')]
  const length = Math.max(first.length, second.length)
  const pick = (values: readonly number[], i: number) =>
    values[values.length === 1 ? 0 : i] ?? nothing(node)
  const values = Array.from({ length }, (_, i) => compute(pick(first, i), pick(second, i)))
  if (!values.every(Number.isSafeInteger))
    throw node.error(`computes a shape of [${values.slice(0, maxExtents).join(', ')}]`)
  return extents(node, values)
}

function nothing(node: NodeView): never {
  throw node.error('reads something that is not there: the file is damaged')
}

function extents(node: NodeView, values: readonly Extent[]): Effect {
  if (values.length === 0 || values.length > maxExtents)
    throw node.error(`gives ${values.length} numbers, which are no shape`)
  return { value: { kind: 'extents', values } }
}

function constantOf(array: NamedArray): Value {
  return {
    kind: 'constant',
    constant: { shape: array.shape, whole: false, array: async () => array, integers: noIntegers },
  }
}

async function noIntegers(): Promise<never> {
  throw new WeightsError('a constant of floats has to hold integers')
}

/** A constant that is computed from another one when it is wanted. */
function derived(
  constant: Constant,
  shape: readonly number[],
  make: (array: NamedArray) => NamedArray,
): Value {
  return {
    kind: 'constant',
    constant: {
      ...constant,
      shape,
      whole: constant.whole,
      array: async () => make(await constant.array()),
    },
  }
}

function reshaped(node: NodeView, constant: Constant, shape: readonly number[]): Value {
  if (shape.length > maxExtents || product(shape) !== product(constant.shape))
    throw node.error(
      `reshapes [${constant.shape.join(', ')}] to [${shape.slice(0, maxExtents).join(', ')}]: ` +
        'the file is damaged',
    )
  return derived(constant, shape, ({ data, dtype }) => ({ shape, data, dtype }))
}

/** What flows through the chain in another shape: that of one image without axes of size 1. */
function viewed(node: NodeView, shape: readonly number[]): Effect {
  const present = node.activation()
  if (shape.length === present.length) return { value: { kind: 'activation', shape: present } }
  if (shape.length <= 1) return { layers: [{ kind: 'flatten' }], shape: [product(present)] }
  return { value: { kind: 'activation', shape } }
}

function reshapedActivation(
  node: NodeView,
  wanted: readonly Extent[],
  zeroIsZero: boolean,
): Effect {
  const shape = node.activation()
  const refusal = (why: string) =>
    node.error(`reshapes [N, ${shape.join(', ')}] to [${wanted.join(', ')}], and ${why}`)
  if (zeroIsZero && wanted.includes(0))
    throw refusal('has allowzero, so that 0 is an extent of 0: nothing would be left')
  const size = product(shape)
  const [batch, ...image] = wanted
  const copied = image.map((n, i) => (n === 0 ? (shape[i] ?? Number.NaN) : n))
  const known = copied.filter((n): n is number => typeof n === 'number' && n !== -1)
  const open = copied.length - known.length
  const result = copied.map((n) => (n === -1 ? size / product(known) : n))
  // A number in the first place is the batch that the file was exported with.
  const whole =
    (batch === 'batch' || batch === 0 || batch === -1 || Number(batch) > 0) &&
    open <= (batch === -1 ? 0 : 1) &&
    result.every((n): n is number => typeof n === 'number' && n > 0) &&
    product(result) === size
  const withoutOnes = (extents: readonly Extent[]) => extents.filter((n) => n !== 1).join()
  const flat = result.length === 1
  const same =
    result.join() === shape.join() ||
    (result.length < shape.length && withoutOnes(result) === withoutOnes(shape))
  if (!whole || !(flat || same)) throw refusal('only flattening all but the batch is read')
  return viewed(node, result)
}
