import { KernelError } from '../../base/errors.ts'
import {
  type Constants,
  type Kernel,
  type KernelSource,
  kernelSource,
  overridesOf,
} from './kernel.ts'

/** A compiled kernel: its pipeline, the layout of its bindings, and the text it was made from. */
export interface CompiledKernel {
  readonly name: string
  readonly constants: Constants
  readonly source: KernelSource
  readonly pipeline: GPUComputePipeline
  readonly layout: BindingLayout
  /** From request to result; several requested at once are compiled side by side. */
  readonly compileMilliseconds: number
}

/** A kernel before it is compiled. */
export type Uncompiled = Pick<CompiledKernel, 'name' | 'constants' | 'source'>

type Draft = Uncompiled & Pick<CompiledKernel, 'layout'>

/**
 * A layout of storage bindings. Kernels whose bindings have the same access share one, and so share
 * bind groups.
 */
export interface BindingLayout {
  readonly id: number
  readonly bindGroupLayout: GPUBindGroupLayout
  readonly pipelineLayout: GPUPipelineLayout
}

/**
 * Compiled kernels by name and constants. A kernel first used inside a step is compiled at once,
 * while the step waits; `compile` does it beforehand and without blocking.
 */
export class PipelineCache {
  readonly #device: GPUDevice
  readonly #files: ReadonlyMap<string, string>
  readonly #onError: (scope: Promise<KernelError | null>) => void
  readonly #compiled = new Map<string, CompiledKernel>()
  readonly #layouts = new Map<string, BindingLayout>()
  /** Group 1 of every kernel: one slot of the params ring, chosen by dynamic offset. */
  readonly paramsLayout: GPUBindGroupLayout

  constructor(
    device: GPUDevice,
    files: ReadonlyMap<string, string>,
    onError: (scope: Promise<KernelError | null>) => void,
  ) {
    this.#device = device
    this.#files = files
    this.#onError = onError
    this.paramsLayout = device.createBindGroupLayout({
      label: 'params',
      entries: [
        {
          binding: 0,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: 'uniform', hasDynamicOffset: true },
        },
      ],
    })
  }

  /** The compiled kernel; compiles it now if necessary. Errors go to `onError`. */
  get(kernel: Kernel, constants: Constants, layer: string | null): CompiledKernel {
    const key = cacheKey(kernel.name, constants)
    const known = this.#compiled.get(key)
    if (known) return known
    const begun = performance.now()
    const draft = this.#draft(uncompiled(this.#files, kernel, constants))
    this.#device.pushErrorScope('validation')
    const module = this.#device.createShaderModule({ label: kernel.name, code: draft.source.code })
    const pipeline = this.#device.createComputePipeline(describe(draft, module))
    const scope = this.#device.popErrorScope()
    this.#onError(
      scope.then((error) => (error ? compileError(draft, module, error.message, layer) : null)),
    )
    const compiled = { ...draft, pipeline, compileMilliseconds: performance.now() - begun }
    this.#compiled.set(key, compiled)
    return compiled
  }

  /** Which of the wanted kernels are not compiled yet, each once. */
  missing(wanted: Iterable<readonly [Kernel, Constants]>): Uncompiled[] {
    const missing = new Map<string, readonly [Kernel, Constants]>()
    for (const [kernel, constants] of wanted) {
      const key = cacheKey(kernel.name, constants)
      if (!this.#compiled.has(key)) missing.set(key, [kernel, constants])
    }
    return [...missing.values()].map(([kernel, constants]) =>
      uncompiled(this.#files, kernel, constants),
    )
  }

  /**
   * Compiles a kernel, while others may be compiling.
   * @throws KernelError where it does not compile
   */
  async compile(kernel: Uncompiled): Promise<CompiledKernel> {
    const begun = performance.now()
    const draft = this.#draft(kernel)
    this.#device.pushErrorScope('validation')
    const module = this.#device.createShaderModule({ label: kernel.name, code: draft.source.code })
    const broken = await this.#device.popErrorScope()
    if (broken) throw await compileError(draft, module, broken.message)
    try {
      const pipeline = await this.#device.createComputePipelineAsync(describe(draft, module))
      const compiled = { ...draft, pipeline, compileMilliseconds: performance.now() - begun }
      this.#compiled.set(cacheKey(kernel.name, kernel.constants), compiled)
      return compiled
    } catch (error) {
      throw await compileError(
        draft,
        module,
        error instanceof Error ? error.message : String(error),
      )
    }
  }

  #draft(kernel: Uncompiled): Draft {
    return { ...kernel, layout: this.#layout(kernel.source) }
  }

  #layout(source: KernelSource): BindingLayout {
    const { bindings } = source.interface
    const signature = bindings
      .map(({ binding, writable }) => `${binding}${writable ? 'w' : 'r'}`)
      .join()
    const known = this.#layouts.get(signature)
    if (known) return known
    const bindGroupLayout = this.#device.createBindGroupLayout({
      label: signature,
      entries: bindings.map(({ binding, writable }) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: writable ? 'storage' : 'read-only-storage' },
      })),
    })
    const pipelineLayout = this.#device.createPipelineLayout({
      label: signature,
      bindGroupLayouts: [bindGroupLayout, this.paramsLayout],
    })
    const layout = { id: this.#layouts.size, bindGroupLayout, pipelineLayout }
    this.#layouts.set(signature, layout)
    return layout
  }
}

function cacheKey(name: string, constants: Constants): string {
  return `${name} ${JSON.stringify(constants)}`
}

function uncompiled(
  files: ReadonlyMap<string, string>,
  kernel: Kernel,
  constants: Constants,
): Uncompiled {
  return { name: kernel.name, constants, source: kernelSource(files, kernel, constants) }
}

function describe(draft: Draft, module: GPUShaderModule): GPUComputePipelineDescriptor {
  return {
    label: draft.name,
    layout: draft.layout.pipelineLayout,
    compute: { module, entryPoint: 'main', constants: overridesOf(draft) },
  }
}

/** The error for a kernel that does not compile, with the file and line of the mistake. */
async function compileError(
  draft: Draft,
  module: GPUShaderModule,
  fallback: string,
  layer: string | null = null,
): Promise<KernelError> {
  const info = await module.getCompilationInfo()
  const first = info.messages.find((message) => message.type === 'error')
  if (!first)
    return new KernelError(draft.name, layer, `does not compile: ${fallback.split('\n')[0]}`)
  const origin = draft.source.origins[first.lineNum - 1]
  const where = origin ? `${origin.file}:${origin.line}` : `line ${first.lineNum}`
  return new KernelError(draft.name, layer, `does not compile: ${where}: ${first.message}`)
}
