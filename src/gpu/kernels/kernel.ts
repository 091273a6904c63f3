import { at } from '../../base/at.ts'
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

/** Params or constants of which some are known by name. */
export type Numbers<Names extends string> = Readonly<Record<Names, number>>

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
  /** How many threads of a launch have something to do. For recordings. */
  readonly threads?: (params: Params, constants: Constants) => number
  /** What a launch costs. For recordings. */
  readonly cost?: (params: Params, constants: Constants) => Cost
}

/** Options of kernels with a common launch shape. P names params, C constants of a launch. */
interface KernelOptions<P extends string, C extends string> {
  /**
   * Threads of a workgroup. Default 256; 64 for planes, which are small: a CPU adapter pays half a
   * microsecond for each thread.
   */
  readonly workgroup?: number
  readonly cost?: (params: Numbers<P>, constants: Numbers<C>) => Cost
}

/** The largest grid in one dimension that every WebGPU device takes. */
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
 * @param threads how many threads a launch with these params needs
 * @example const pack = elementKernel('contract/pack', (p) => p.n)
 */
export function elementKernel<P extends string, C extends string = never>(
  name: string,
  threads: (params: Numbers<P>) => number,
  { workgroup = 256, cost }: KernelOptions<P, C> = {},
): Kernel {
  return {
    name,
    constants: { WG: workgroup },
    threads,
    cost,
    grid: (params, { WG }: Numbers<'WG'>) => linearGrid(threads(params), WG),
  }
}

/**
 * Vectors of a strip. On lavapipe a thread is expensive to start and cheap to keep going: with
 * strips of eight, ReLU takes half as long as with one thread per vector, and SGD two thirds.
 * SwiftShader is fastest with long strips. On a GPU it makes no difference.
 */
const stripLengths: Readonly<Record<AdapterKind, number>> = {
  lavapipe: 8,
  swiftshader: 32,
  hardware: 1,
}

/**
 * Declares a kernel that streams over n vectors, each thread over a strip of them; see
 * shaders/lib/strip.wgsl.
 * @param name its file under shaders/, without `.wgsl`
 * @example const reluForward = stripKernel('relu/forward')
 */
export function stripKernel<C extends string = never>(
  name: string,
  { workgroup = 256, cost }: KernelOptions<'n', C> = {},
): Kernel {
  return {
    name,
    constants: { WG: workgroup },
    onAdapter: (kind) => ({ STRIP: stripLengths[kind] }),
    threads({ n }: Numbers<'n'>, { WG, STRIP }: Numbers<'WG' | 'STRIP'>) {
      const rest = n % (WG * STRIP)
      return (n - rest) / STRIP + Math.min(rest, WG)
    },
    cost,
    grid: ({ n }: Numbers<'n'>, { WG, STRIP }: Numbers<'WG' | 'STRIP'>) =>
      linearGrid(n, WG * STRIP),
  }
}

/**
 * Declares a kernel with one thread per element of a plane. Planes (one per image and channel) are
 * a grid dimension of their own, so that no thread has to divide to find its plane. Params give
 * `planes`; see shaders/lib/plane.wgsl. What exceeds 65,535 wraps into z: the planes, or the
 * workgroups of one plane. Both at once would be a terabyte.
 * @param elements how many threads one plane needs
 */
export function planeKernel<P extends string, C extends string = never>(
  name: string,
  elements: (params: Numbers<P>) => number,
  { workgroup = 64, cost }: KernelOptions<P | 'planes', C> = {},
): Kernel {
  return {
    name,
    constants: { WG: workgroup },
    threads: (params: Numbers<P | 'planes'>) => params.planes * elements(params),
    cost,
    grid: (params: Numbers<P | 'planes'>, { WG }: Numbers<'WG'>) => {
      const { planes } = params
      const groups = Math.ceil(elements(params) / WG)
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
 * Expands a kernel's file and reads from it what it declares. Bindings and params are written down
 * in the WGSL and nowhere else.
 */
export function kernelSource(
  files: ReadonlyMap<string, string>,
  kernel: Kernel,
  constants: Constants,
): KernelSource {
  const expanded = expandShader(files, `${kernel.name}.wgsl`, constants)
  return { ...expanded, interface: readInterface(kernel.name, expanded.code) }
}

/** Of the constants a kernel is compiled with those that are `override`s in its WGSL. */
export function overridesOf({
  source,
  constants,
}: {
  readonly source: KernelSource
  readonly constants: Constants
}): Constants {
  const overrides = Object.entries(constants).filter(([name]) =>
    source.interface.overrides.has(name),
  )
  return Object.fromEntries(overrides)
}

const bindingPattern =
  /@group\(0\)\s*@binding\((\d+)\)\s*var<storage,\s*(read|read_write)>\s*(\w+)\s*:/g

function readInterface(name: string, code: string): ShaderInterface {
  const text = code.replace(/\/\/.*$/gm, '')
  const bindings = [...text.matchAll(bindingPattern)].map((match) => ({
    name: at(match, 3),
    binding: Number(at(match, 1)),
    writable: at(match, 2) === 'read_write',
  }))
  const struct = /struct\s+Params\s*\{([^}]*)\}/.exec(text)
  const fields = struct ? [...at(struct, 1).matchAll(/(\w+)\s*:\s*(\w+)/g)] : []
  const params = fields.map((match) => {
    const type = at(match, 2)
    if (type !== 'u32' && type !== 'i32' && type !== 'f32')
      throw new GraftError('shader', `${name}.wgsl: params are u32, i32 or f32, not ${type}`)
    return { name: at(match, 1), type } as const
  })
  const overrides = new Set([...text.matchAll(/\boverride\s+(\w+)/g)].map((match) => at(match, 1)))
  const size = /@workgroup_size\(([^)]*)\)/.exec(text)
  const workgroup = size
    ? at(size, 1)
        .split(',')
        .map((extent) => extent.trim())
    : ['1']
  return { bindings, params, overrides, workgroup }
}
