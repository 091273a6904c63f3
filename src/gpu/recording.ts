import type { Constants, Cost, Grid, KernelSource, Params } from './kernels/kernel.ts'

/** One of a dispatch's buffers, or a part of one. */
export interface RecordedBinding {
  /** The shader's name for it. */
  readonly name: string
  readonly binding: number
  readonly writable: boolean
  /**
   * Which buffer: the same number is the same memory. The pool may reuse it for another tensor in
   * the course of a recording.
   */
  readonly buffer: number
  /** Null where only the bytes are known, and where a part of the tensor is bound. */
  readonly shape: readonly number[] | null
  /** Where a bound part begins, in bytes; 0 for a whole tensor. */
  readonly offset: number
  /** Bytes of the part that is bound; the pool rounds whole buffers up. */
  readonly bytes: number
}

/** One launch of a kernel. */
export interface RecordedDispatch {
  /** Counted from 0, in the order of launching. */
  readonly index: number
  /** The operator that launched it; outside operators the shader's folder. */
  readonly operator: string
  readonly layer: string | null
  /** 'forward', 'weight gradient', 'step' …; null outside operators. */
  readonly pass: string | null
  /** The file under shaders/. */
  readonly kernel: string
  readonly entryPoint: 'main'
  /** The WGSL that ran, after expansion, and where each of its lines was written. */
  readonly source: KernelSource
  /** What it was expanded with. */
  readonly constants: Constants
  /** The values of the WGSL's own `override` constants. */
  readonly overrides: Constants
  readonly params: Params
  readonly bindings: readonly RecordedBinding[]
  /** Threads of a workgroup in x, y and z. */
  readonly workgroup: Grid
  /** Workgroups in x, y and z. */
  readonly workgroups: Grid
  readonly threads: number
  /** Threads that had nothing to do; null where the kernel does not say. */
  readonly idle: number | null
  /** Null where the kernel does not say. */
  readonly cost: Cost | null
  /**
   * From the recording's first timestamp to its own, in milliseconds; null where the adapter has no
   * timestamps.
   */
  readonly begin: number | null
  /** GPU time in milliseconds; null where the adapter has no timestamps. */
  readonly milliseconds: number | null
  /** How long its pipeline took to compile, whenever that was. */
  readonly compileMilliseconds: number
}

/** One call of an operator: its dispatches, and its tensors' values where those are kept. */
export interface RecordedCall {
  readonly operator: string
  readonly layer: string | null
  readonly pass: 'forward' | 'backward' | 'step'
  readonly attrs: unknown
  /**
   * Its dispatches: from `first` up to, not including, `end`. None where the launch of another call
   * computed its result too.
   */
  readonly first: number
  readonly end: number
  readonly tensors: Readonly<Record<string, RecordedTensor>>
}

/** A tensor of a call: its shape, and its values where they are kept. */
export interface RecordedTensor {
  readonly shape: readonly number[]
  /** The memory it lies in, as in the bindings: a call reads what was last written there. */
  readonly buffer: number
  /** Null unless the recording keeps values. */
  readonly values: Float32Array | null
}

/** Work that was not done, and why. */
export interface Omission {
  readonly layer: string | null
  /** 'weight gradient', 'step' … */
  readonly what: string
  readonly why: string
}

/** Everything that ran between `record()` and `finish()`. */
export interface Recording {
  readonly dispatches: readonly RecordedDispatch[]
  readonly calls: readonly RecordedCall[]
  readonly omissions: readonly Omission[]
  /** The sum of all dispatches' GPU times, in milliseconds; null without timestamps. */
  readonly milliseconds: number | null
}

/** Some dispatches of a recording and all those that computed what they read, in order. */
export function withSources(
  dispatches: readonly RecordedDispatch[],
  ends: readonly RecordedDispatch[],
): RecordedDispatch[] {
  const wanted = new Set(ends)
  const read = new Set<number>()
  const found: RecordedDispatch[] = []
  for (const dispatch of dispatches.toReversed()) {
    const { bindings } = dispatch
    const isSource = bindings.some(({ writable, buffer }) => writable && read.has(buffer))
    if (!wanted.has(dispatch) && !isSource) continue
    for (const { buffer } of bindings) read.add(buffer)
    found.push(dispatch)
  }
  return found.reverse()
}

/**
 * An omission as a line of text: 'features.0 weight gradient: not dispatched, the parameter is
 * frozen'.
 * @example for (const omission of recording.omissions) console.log(describeOmission(omission))
 */
export function describeOmission({ layer, what, why }: Omission): string {
  return `${layer ? `${layer} ` : ''}${what}: not dispatched, ${why}`
}

/** 'x' as 'input gradient', 'weight' as 'weight gradient'. */
export function gradientName(input: string): string {
  return `${input === 'x' ? 'input' : input} gradient`
}
