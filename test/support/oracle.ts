import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type NdArray, ndArray } from '../../src/reference/ndarray.ts'
import { readSafetensors } from '../../src/weights/safetensors.ts'

/** What a case was computed with; which of these a case has depends on its operator. */
export interface OracleAttrs {
  readonly stride?: number
  readonly padding?: number
  readonly groups?: number
  readonly kernel?: number
  /** avgpool2d. */
  readonly ceilMode?: boolean
  readonly countIncludePad?: boolean
  /** batchnorm. */
  readonly training?: boolean
  readonly epsilon?: number
  /** Whether a ReLU follows. */
  readonly relu?: boolean
  /** clamp. */
  readonly low?: number
  readonly high?: number
  /** resnet. */
  readonly variant?: string
  /** adaptiveavgpool2d: both extents of the output. */
  readonly output?: number
  readonly size?: number
  readonly alpha?: number
  readonly beta?: number
  readonly k?: number
  readonly labelSmoothing?: number
  readonly reduction?: 'mean' | 'sum' | 'none'
  readonly resize?: number
  readonly lr?: number
  readonly momentum?: number
  readonly weightDecay?: number
  readonly nesterov?: boolean
  readonly betas?: readonly [number, number]
  readonly eps?: number
  /** train: PyTorch's spelling of weightDecay. */
  readonly weight_decay?: number
  readonly channels?: readonly number[]
  readonly hidden?: number
  readonly classes?: number
  /** train: parameters whose name starts with one of these are frozen. */
  readonly freeze?: readonly string[]
}

export interface OracleCase {
  readonly file: string
  /** The file with its folder. */
  readonly path: string
  readonly op: string
  readonly name: string
  readonly attrs: OracleAttrs
}

export interface OracleTensor {
  readonly shape: number[]
  /** Targets are int32 in the file, and small enough to be exact here. */
  readonly data: Float32Array
}

const committed = fileURLToPath(new URL('../oracle', import.meta.url))

/**
 * Relative Frobenius error that a single operator's tensors must stay within, and a training run's
 * losses and final parameters.
 */
export const ORACLE_TOLERANCE = { operator: 1e-5, run: 1e-3 } as const

function casesIn(folder: string): OracleCase[] {
  const listing = join(folder, 'cases.json')
  if (!existsSync(listing))
    throw new Error(
      `no cases.json in ${folder} (the variable GRAFT_ORACLE names the folder of oracle cases)`,
    )
  const { cases } = JSON.parse(readFileSync(listing, 'utf8')) as {
    cases: Omit<OracleCase, 'path'>[]
  }
  return cases.map((one) => ({ ...one, path: join(folder, one.file) }))
}

/**
 * PyTorch's cases of one operator, or all: those committed in test/oracle and, where the variable
 * GRAFT_ORACLE names a folder, those of that folder, which take the place of committed ones with
 * the same file name.
 */
export function oracleCases(op?: string): OracleCase[] {
  const folder = process.env.GRAFT_ORACLE
  const byFile = new Map(
    [...casesIn(committed), ...(folder ? casesIn(folder) : [])].map((one) => [one.file, one]),
  )
  return [...byFile.values()].filter((one) => op === undefined || one.op === op)
}

/** The tensors of one case, by name. */
export type OracleTensors = Record<string, OracleTensor>

/** Reads one case. */
export function loadCase(one: OracleCase): OracleTensors {
  const { tensors } = readSafetensors(readFileSync(one.path))
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [name, { shape: [...shape], data }]),
  )
}

/** One tensor that a case must have. */
export function tensorOf(tensors: OracleTensors, name: string): OracleTensor {
  const tensor = tensors[name]
  if (!tensor)
    throw new Error(`the case has no tensor '${name}', only ${Object.keys(tensors).join(', ')}`)
  return tensor
}

/** One integer tensor: targets. */
export function int32Of(tensors: OracleTensors, name: string): Int32Array {
  return Int32Array.from(tensorOf(tensors, name).data)
}

/** How PyTorch's cases name an operator, and its attributes. */
interface OracleOperator {
  /** Its name there, or several. */
  readonly op: string | readonly string[]
  attrs(attrs: OracleAttrs, tensors: OracleTensors): object
}

const twice = (extent = 0) => [extent, extent] as const

/** PyTorch's cases exist for these operators. */
const operators: Readonly<Record<string, OracleOperator>> = {
  adaptiveAvgPool2d: { op: 'adaptiveavgpool2d', attrs: ({ output }) => ({ size: twice(output) }) },
  add: { op: 'add', attrs: ({ relu }) => ({ relu }) },
  avgPool2d: {
    op: 'avgpool2d',
    attrs: ({ kernel, stride, padding, ceilMode, countIncludePad }) => ({
      kernel: twice(kernel),
      stride: twice(stride),
      padding: twice(padding),
      ceilMode,
      countIncludePad,
    }),
  },
  batchNorm: {
    op: 'batchnorm',
    attrs: ({ training, momentum, epsilon, relu }) => ({ training, momentum, epsilon, relu }),
  },
  clamp: { op: 'clamp', attrs: ({ low, high }) => ({ low, high }) },
  concat: { op: 'concat', attrs: () => ({}) },
  conv2d: {
    op: ['conv2d', 'depthwise'],
    attrs: ({ stride, padding, groups }) => ({
      stride: twice(stride),
      padding: twice(padding),
      groups,
    }),
  },
  crossEntropy: {
    op: 'crossentropy',
    attrs: ({ labelSmoothing = 0, reduction = 'mean' }, tensors) => ({
      targets: int32Of(tensors, 'target'),
      weight: null,
      labelSmoothing,
      reduction,
    }),
  },
  hardswish: { op: 'hardswish', attrs: () => ({}) },
  linear: { op: 'linear', attrs: () => ({}) },
  localResponseNorm: {
    op: 'lrn',
    attrs: ({ size, alpha, beta, k }) => ({ size, alpha, beta, k }),
  },
  maxPool2d: {
    op: 'maxpool2d',
    attrs: ({ kernel, stride, padding }) => ({
      kernel: twice(kernel),
      stride: twice(stride),
      padding: twice(padding),
    }),
  },
  relu: { op: 'relu', attrs: () => ({}) },
  relu6: { op: 'relu6', attrs: () => ({}) },
  sigmoid: { op: 'sigmoid', attrs: () => ({}) },
  silu: { op: 'silu', attrs: () => ({}) },
  softmax: { op: 'softmax', attrs: () => ({}) },
}

/** One of PyTorch's cases, as a specification takes it. */
export interface OperatorCase {
  readonly name: string
  readonly inputs: Readonly<Record<string, NdArray | null>>
  readonly attrs: object
  readonly y: NdArray
  /** The gradient that comes in: 1 where PyTorch's backward() was called without one. */
  readonly dy: NdArray
  /** By the inputs' names. */
  readonly gradients: Readonly<Record<string, NdArray>>
}

/** PyTorch's cases of an operator, by the name that it has here; none where PyTorch has none. */
export function operatorCases(name: string, inputs: readonly string[]): OperatorCase[] {
  const operator = operators[name]
  if (!operator) return []
  const ops: readonly string[] = [operator.op].flat()
  return ops
    .flatMap((op) => oracleCases(op))
    .map((one) => {
      const tensors = loadCase(one)
      const array = (...names: string[]): NdArray | null => {
        const found = names.find((key) => key in tensors)
        if (found === undefined) return null
        const { data, shape } = tensorOf(tensors, found)
        // PyTorch's scalars are lists of one number in the files.
        const isScalar = found.endsWith('loss') && one.attrs.reduction !== 'none'
        return ndArray(data, isScalar ? [] : shape)
      }
      const y = array('y', 'loss')
      if (!y) throw new Error(`${one.file} has neither y nor loss`)
      const gradients = inputs.flatMap((input) => {
        const gradient = array(`d${input}`)
        return gradient ? [[input, gradient] as const] : []
      })
      return {
        name: one.name,
        inputs: Object.fromEntries(inputs.map((input) => [input, array(input)])),
        attrs: operator.attrs(one.attrs, tensors),
        y,
        dy: array('dy', 'dloss') ?? ndArray([1], []),
        gradients: Object.fromEntries(gradients),
      }
    })
}
