/** Kernels over rows of equal length, of which several threads share each: lib/rows.wgsl. */
import type { Gpu } from '../gpu/gpu.ts'
import { type Cost, elementKernel, type Kernel, type Numbers } from '../gpu/kernels/kernel.ts'
import type { AdapterKind } from '../host/host.ts'

/** The params that shaders/lib/rows.wgsl asks for. */
type RowParams = 'n' | 'chunks' | 'vectors'

/**
 * Declares a kernel over rows.
 * @param name its file under shaders/, without `.wgsl`
 * @param cost of one element
 */
export function rowKernel<C extends string = never>(
  name: string,
  cost: (constants: Numbers<C>) => Cost,
): Kernel {
  return elementKernel<RowParams, C | 'VECTOR'>(name, (p) => p.n, {
    cost({ n, chunks, vectors }, constants) {
      const { flops, bytes } = cost(constants)
      const elements = (n / chunks) * vectors * constants.VECTOR
      return { flops: flops * elements, bytes: bytes * elements }
    },
  })
}

/**
 * Vectors that a thread takes: on a CPU many, since starting a thread and reading what it needs to
 * know of its row cost more than a turn of its loop; on a GPU few, so that all of it has work.
 */
const perThread: Readonly<Record<AdapterKind, number>> = {
  lavapipe: 16,
  swiftshader: 32,
  hardware: 4,
}

/** Threads that keep any GPU busy. */
const busy = 2 ** 15

/** How threads share rows: params, and the constant that a row kernel is compiled with. */
export interface Rows {
  readonly params: Numbers<RowParams>
  readonly constants: Numbers<'VECTOR'>
}

/**
 * Shares rows out among threads.
 * @param alike further lengths that whole vectors have to fit into, such as where a row begins
 */
export function rowsOf(
  gpu: Gpu,
  rows: number,
  length: number,
  alike: readonly number[] = [],
): Rows {
  const VECTOR = [length, ...alike].every((n) => n % 4 === 0) ? 4 : 1
  return shared(rows, length / VECTOR, perThread[gpu.kind], VECTOR)
}

/**
 * Shares rows out for sums, of which every thread makes one: so few threads that the sums are
 * quickly added, and yet enough for a GPU.
 */
export function rowsToSum(gpu: Gpu, rows: number, length: number): Rows {
  const VECTOR = length % 4 === 0 ? 4 : 1
  const vectors = length / VECTOR
  const most = 64
  const least = perThread[gpu.kind]
  const even = gpu.kind === 'hardware' ? Math.ceil((rows * vectors) / busy) : most
  return shared(rows, vectors, Math.min(most, Math.max(least, even)), VECTOR)
}

function shared(rows: number, vectors: number, each: number, VECTOR: number): Rows {
  const chunks = Math.ceil(vectors / each)
  return { params: { n: rows * chunks, chunks, vectors }, constants: { VECTOR } }
}
