import type { Constants } from '../../src/gpu/kernels/kernel.ts'

/** A pipeline: a kernel, and the constants it is compiled with. */
export interface Pipeline {
  readonly name: string
  readonly constants: Constants
}

/** Work, and the pipelines that it launches, in order, each once. */
export interface Planned {
  readonly name: string
  readonly dispatches: number
  /** Places in the list of pipelines. */
  readonly pipelines: readonly number[]
}

/** What bench/compiled/child.ts compiles. */
export interface Plan {
  readonly adapter: string
  readonly pipelines: readonly Pipeline[]
  readonly steps: readonly Planned[]
  readonly products: readonly Planned[]
}

/** Begins the line before what the driver prints about a pipeline; its place follows. */
export const mark = '@@graft '
/** Begins a line that says why Dawn refused the pipeline. */
export const failure = '@!graft '
