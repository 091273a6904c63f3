import type { EmptyLauncher } from './emptyLauncher.ts'
import type { CompiledKernel, PipelineCache, Uncompiled } from './pipelines.ts'

type Launcher = Pick<EmptyLauncher, 'launch'>

/** A second device on the same adapter, kept as long as it saves time. */
export interface Helper {
  readonly launcher: Launcher
  dispose(): void
}

/**
 * A first launch that takes more milliseconds than this makes machine code: what the driver finds
 * on its disk is ready after about five.
 */
const slow = 20
/** Milliseconds until the driver, in a thread of its own, has written machine code to its disk. */
const writing = 10

/**
 * Warms up kernels on two devices. It is for a driver that makes machine code in the one thread of
 * a device's queue and keeps it on the disk: a second device, the helper, makes the code of every
 * other kernel in a thread of its own, and the first device finds it on the disk. With lavapipe
 * this halves a cold start. The clock shows whether it helps: a disk may hold the code already, and
 * a driver may keep none. The helper makes one kernel, and goes on if it took at least twice as
 * long as the first device takes afterwards. Otherwise every kernel is made here alone.
 */
export class SharedWarmUp {
  readonly #here: Launcher
  readonly #openHelper: () => Promise<Helper>
  /** Kernels that no device has begun, short texts first. */
  readonly #waiting: Uncompiled[] = []
  /** Kernels that the helper is making. */
  readonly #held = new Set<Uncompiled>()
  /** Kernels that the helper has launched, in how many milliseconds; not yet launched here. */
  readonly #made: { readonly kernel: Uncompiled; readonly milliseconds: number }[] = []
  /** Whether the helper saves time; null while that is not known. */
  #helps: boolean | null = null
  /** Milliseconds for the kernels that both devices have launched. */
  readonly #spent = { here: 0, there: 0 }
  #helper: Helper | null = null
  /** What the helper was asked to do. */
  readonly #tasks: Promise<void>[] = []
  #wake = () => {}

  constructor(here: Launcher, openHelper: () => Promise<Helper>) {
    this.#here = here
    this.#openHelper = openHelper
  }

  /**
   * Compiles and launches kernels.
   * @param onReady called after each one
   * @throws KernelError for one that does not compile
   */
  async run(
    kernels: readonly Uncompiled[],
    pipelines: Pick<PipelineCache, 'compile'>,
    onReady: () => void,
  ): Promise<void> {
    this.#waiting.push(...[...kernels].sort((a, b) => a.source.code.length - b.source.code.length))
    const compiling = new Map<Uncompiled, Promise<CompiledKernel>>()
    for (const kernel of fromBothEnds(this.#waiting)) {
      const compiled = pipelines.compile(kernel)
      compiled.catch(() => {}) // thrown below, where it is awaited
      compiling.set(kernel, compiled)
    }
    try {
      for (;;) {
        const made = this.#made.shift()
        const kernel = made?.kernel ?? this.#take()
        if (kernel) {
          const milliseconds = await this.#here.launch(kernel, compiling.get(kernel))
          onReady()
          if (made) this.#compare(milliseconds, made.milliseconds)
          else if (milliseconds > slow && this.#tasks.length === 0 && this.#waiting.length > 1)
            this.#tasks.push(this.#tryHelper())
        } else if (this.#held.size > 0) await new Promise<void>((resolve) => (this.#wake = resolve))
        else return
      }
    } finally {
      this.#stopHelper()
      await Promise.all(this.#tasks)
      this.#helper?.dispose()
    }
  }

  /**
   * The next kernel: once the helper is known to help, one of the slowest to make; before that one
   * of the fastest, which soon shows whether it helps.
   */
  #take(): Uncompiled | undefined {
    return this.#helps ? this.#waiting.pop() : this.#waiting.shift()
  }

  /** Opens the helper, and has it launch one kernel. */
  async #tryHelper(): Promise<void> {
    const kernel = this.#take()
    if (!kernel) return
    this.#held.add(kernel)
    try {
      this.#helper = await this.#openHelper()
      await this.#launchThere(this.#helper, kernel)
    } catch {
      this.#stopHelper() // everything works without a second device
    }
  }

  #compare(here: number, there: number): void {
    this.#spent.here += here
    this.#spent.there += there
    if (this.#spent.here > this.#spent.there / 2) this.#stopHelper()
    else if (this.#helps === null) {
      this.#helps = true
      // two at a time: one is compiled while the other is launched
      this.#tasks.push(this.#helpOut(), this.#helpOut())
    }
  }

  #stopHelper(): void {
    this.#helps = false
    this.#waiting.unshift(...this.#held)
    this.#held.clear()
    this.#wake()
  }

  async #helpOut(): Promise<void> {
    while (this.#helps && this.#helper) {
      const kernel = this.#take()
      if (!kernel) return
      this.#held.add(kernel)
      try {
        await this.#launchThere(this.#helper, kernel)
      } catch {
        this.#stopHelper()
      }
    }
  }

  async #launchThere(helper: Helper, kernel: Uncompiled): Promise<void> {
    const milliseconds = await helper.launcher.launch(kernel)
    await new Promise((resolve) => setTimeout(resolve, writing))
    if (!this.#held.delete(kernel)) return // it was taken back in the meantime
    this.#made.push({ kernel, milliseconds })
    this.#wake()
  }
}

/** The first, the last, the second, the last but one, … */
function fromBothEnds<T>(items: readonly T[]): T[] {
  const ranked = items.map((item, i) => ({
    item,
    rank: Math.min(2 * i, 2 * (items.length - 1 - i) + 1),
  }))
  return ranked.sort((a, b) => a.rank - b.rank).map(({ item }) => item)
}
