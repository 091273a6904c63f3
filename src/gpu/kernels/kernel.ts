import { GraftError } from '../../base/errors.ts'
import type { AdapterKind } from '../../host/host.ts'
import { type ExpandedShader, expandShader } from './expand.ts'

/**
 * Numbers a kernel is compiled with: what its `#repeat` and `#if` lines name, and its `override`
 * constants.
 */
export type Constants = Readonly<Record<string, number>>

/** Numbers a kernel is launched with: the fields of its `Params` struct. */
export type Params = Readonly<Record<string, number>>

/** Workgroups in x, y and z. */
export type Grid = readonly [number, number, number]

/** What a launch or an operator costs. */
export interface Cost {
  /** Floating-point operations; a multiply-add counts two. */
  readonly flops: number
  /** Bytes that must move between memory and the processor at the least. */
  readonly bytes: number
}

/**
 * A kernel: a file under shaders/, the constants it is compiled with unless a launch says
 * otherwise, and its launch shape.
 */
export interface Kernel {
  /**
   * The file's path without `.wgsl`, for example 'relu/forward'. Errors and recordings name the
   * kernel by it.
   */
  readonly name: string
  readonly constants: Constants
  /** Constants that depend on the adapter. */
  readonly onAdapter?: (kind: AdapterKind) => Constants
  readonly grid: (params: Params, constants: Constants) => Grid
  /**
   * How many threads of a launch have something to do; the rest of the last workgroup stands idle.
   * For recordings.
   */
  readonly threads?: (params: Params, constants: Constants) => number
  /** What a launch costs. For recordings. */
  readonly cost?: (params: Params, constants: Constants) => Cost
}

/** What kernels of the usual launch shapes may say besides. */
interface KernelOptions<P extends string> {
  /**
   * Threads of a workgroup. Default 256, of a plane 64: a CPU adapter pays half a microsecond for
   * each, and planes are small.
   */
  readonly workgroup?: number
  readonly cost?: (params: Readonly<Record<P, number>>, constants: Constants) => Cost
}

/** The largest grid every WebGPU device takes in one dimension. */
export const maxGroups = 65_535

/**
 * The grid of a kernel with one thread per element: past 65,535 workgroups it wraps into y, as
 * `linear_index` in shaders/lib/linear.wgsl expects.
 */
export function linearGrid(threads: number, workgroup: number): Grid {
  const groups = Math.ceil(threads / workgroup)
  return [Math.min(groups, maxGroups), Math.ceil(groups / maxGroups), 1]
}

/**
 * Declares a kernel with one thread per element.
 * @param name its file under shaders/, without `.wgsl`
 * @param threads how many threads a launch with these params wants
 * @example const pack = elementKernel('contract/pack', (p) => p.n)
 */
export function elementKernel<P extends string>(
  name: string,
  threads: (params: Readonly<Record<P, number>>) => number,
  { workgroup = 256, cost }: KernelOptions<P> = {},
): Kernel {
  return {
    name,
    constants: { WG: workgroup },
    threads,
    cost,
    grid: (params, constants) => linearGrid(threads(params), constants.WG ?? workgroup),
  }
}

/**
 * Vectors of a strip. A thread of lavapipe begins dear and loops cheap: with strips of eight ReLU
 * takes half as long as with a thread a vector, SGD two thirds. On SwiftShader it is the other way
 * round, and long strips cost least; a GPU hides either.
 */
const stripOn: Readonly<Record<AdapterKind, number>> = { lavapipe: 8, swiftshader: 32, hardware: 1 }

/**
 * Declares a kernel that streams over n vectors, each thread over a strip of them; see
 * shaders/lib/strip.wgsl.
 * @param name its file under shaders/, without `.wgsl`
 * @example const reluForward = stripKernel('relu/forward')
 */
export function stripKernel(
  name: string,
  { workgroup = 256, cost }: KernelOptions<'n'> = {},
): Kernel {
  const vectors = ({ n }: Readonly<Record<'n', number>>) => n
  return {
    name,
    constants: { WG: workgroup },
    onAdapter: (kind) => ({ STRIP: stripOn[kind] }),
    threads(params, { WG = workgroup, STRIP = 1 }) {
      const rest = vectors(params) % (WG * STRIP)
      return (vectors(params) - rest) / STRIP + Math.min(rest, WG)
    },
    cost,
    grid: (params, { WG = workgroup, STRIP = 1 }) => linearGrid(vectors(params), WG * STRIP),
  }
}

/**
 * Declares a kernel with one thread per element of a plane, and planes (image · channel) as a grid
 * dimension of their own, so that no lane divides to find its plane. Params give `planes`; see
 * shaders/lib/plane.wgsl. What passes 65,535 wraps into z: the planes, or the workgroups of one
 * plane. Both at once would be a terabyte.
 * @param elements how many threads one plane wants
 */
export function planeKernel<P extends string>(
  name: string,
  elements: (params: Readonly<Record<P, number>>) => number,
  { workgroup = 64, cost }: KernelOptions<P | 'planes'> = {},
): Kernel {
  return {
    name,
    constants: { WG: workgroup },
    threads: (params) => (params.planes ?? 0) * elements(params),
    cost,
    grid: (params, constants) => {
      const planes = params.planes ?? 0
      const groups = Math.ceil(elements(params) / (constants.WG ?? workgroup))
      if (planes > maxGroups) return [groups, maxGroups, Math.ceil(planes / maxGroups)]
      return [Math.min(groups, maxGroups), planes, Math.ceil(groups / maxGroups)]
    },
  }
}

/**
 * What a shader's own text declares: its storage bindings, its params, which constants are
 * `override`s, and its workgroup.
 */
export interface ShaderInterface {
  readonly bindings: readonly {
    readonly name: string
    readonly binding: number
    readonly writable: boolean
  }[]
  readonly params: readonly { readonly name: string; readonly type: 'u32' | 'i32' | 'f32' }[]
  readonly overrides: ReadonlySet<string>
  /** Threads in x, y and z: numbers, or names of overrides. */
  readonly workgroup: readonly string[]
}

/** A kernel's text after expansion, and what it declares. */
export interface KernelSource extends ExpandedShader {
  readonly interface: ShaderInterface
}

/**
 * Expands a kernel's file and reads from it what it declares. The WGSL is the only place where
 * bindings and params are written down.
 */
export function kernelSource(
  files: ReadonlyMap<string, string>,
  kernel: Kernel,
  constants: Constants,
): KernelSource {
  const expanded = expandShader(files, `${kernel.name}.wgsl`, constants)
  return { ...expanded, interface: readInterface(kernel.name, expanded.code) }
}

function readInterface(name: string, code: string): ShaderInterface {
  const text = code.replace(/\/\/.*$/gm, '')
  const bindings = [
    ...text.matchAll(
      /@group\(0\)\s*@binding\((\d+)\)\s*var<storage,\s*(read|read_write)>\s*(\w+)\s*:/g,
    ),
  ].map((m) => ({
    name: m[3] ?? '',
    binding: Number(m[1]),
    writable: m[2] === 'read_write',
  }))
  const struct = /struct\s+Params\s*\{([^}]*)\}/.exec(text)?.[1] ?? ''
  const params = [...struct.matchAll(/(\w+)\s*:\s*(\w+)/g)].map((m) => {
    const type = m[2]
    if (type !== 'u32' && type !== 'i32' && type !== 'f32')
      throw new GraftError('shader', `${name}.wgsl: params are u32, i32 or f32, not ${type}`)
    return { name: m[1] ?? '', type } as const
  })
  const overrides = new Set([...text.matchAll(/\boverride\s+(\w+)/g)].map((m) => m[1] ?? ''))
  const workgroup = (/@workgroup_size\(([^)]*)\)/.exec(text)?.[1] ?? '1')
    .split(',')
    .map((extent) => extent.trim())
  return { bindings, params, overrides, workgroup }
}
