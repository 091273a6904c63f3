import type { FirstLaunches } from './firstLaunch.ts'
import type { CompiledKernel, PipelineCache, Uncompiled } from './pipelines.ts'

type Launcher = Pick<FirstLaunches, 'launch'>

/** A second device on the same adapter, for as long as it helps. */
export interface Helper {
  readonly launches: Launcher
  dispose(): void
}

/**
 * Milliseconds of a first launch above which machine code is being made: what the driver finds on
 * its disk is there after some five.
 */
const slow = 20
/** The driver writes to its disk in a thread of its own; milliseconds until it has. */
const writing = 10

/**
 * First launches on a driver that makes machine code in the one thread of a device's queue, and
 * keeps it on the disk: a second device makes every other kernel's in a thread of its own, and the
 * first finds it there. So it is with lavapipe, where it halves a cold start. What the disk keeps
 * already, or a driver that keeps nothing there, is told by the clock: the helper makes one kernel,
 * and goes on where that took twice as long as it takes here afterwards. Without help everything is
 * launched here.
 */
export class SharedLaunches {
  readonly #here: Launcher
  readonly #open: () => Promise<Helper>
  /** What nobody has begun, short texts first. */
  readonly #waiting: Uncompiled[] = []
  /** What the helper is at. */
  readonly #held = new Set<Uncompiled>()
  /** What it has launched, in how many milliseconds; not yet here. */
  readonly #made: { readonly kernel: Uncompiled; readonly milliseconds: number }[] = []
  /** Whether it pays to have help; null while nobody knows. */
  #pays: boolean | null = null
  /** Milliseconds for the kernels that both have launched. */
  readonly #spent = { here: 0, there: 0 }
  #helper: Helper | null = null
  readonly #errands: Promise<void>[] = []
  #wake = () => {}

  constructor(here: Launcher, open: () => Promise<Helper>) {
    this.#here = here
    this.#open = open
  }

  /**
   * Compiles and launches kernels.
   * @param onReady told after each one
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
      compiled.catch(() => {}) // told of when its turn comes
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
          else if (milliseconds > slow && this.#errands.length === 0 && this.#waiting.length > 1)
            this.#errands.push(this.#try())
        } else if (this.#held.size > 0) await new Promise<void>((resolve) => (this.#wake = resolve))
        else return
      }
    } finally {
      this.#giveUp()
      await Promise.all(this.#errands)
      this.#helper?.dispose()
    }
  }

  /**
   * The next kernel: of those that take longest, once two share them; before that of those which
   * soon tell.
   */
  #take(): Uncompiled | undefined {
    return this.#pays ? this.#waiting.pop() : this.#waiting.shift()
  }

  /** Opens the helper, and has it launch one kernel. */
  async #try(): Promise<void> {
    const kernel = this.#take()
    if (!kernel) return
    this.#held.add(kernel)
    try {
      this.#helper = await this.#open()
      await this.#launchThere(this.#helper, kernel)
    } catch {
      this.#giveUp() // a second device is no necessity
    }
  }

  #compare(here: number, there: number): void {
    this.#spent.here += here
    this.#spent.there += there
    if (this.#spent.here > this.#spent.there / 2) this.#giveUp()
    else if (this.#pays === null) {
      this.#pays = true
      this.#errands.push(this.#help(), this.#help()) // one is compiled while the other is launched
    }
  }

  #giveUp(): void {
    this.#pays = false
    this.#waiting.unshift(...this.#held)
    this.#held.clear()
    this.#wake()
  }

  async #help(): Promise<void> {
    while (this.#pays && this.#helper) {
      const kernel = this.#take()
      if (!kernel) return
      this.#held.add(kernel)
      try {
        await this.#launchThere(this.#helper, kernel)
      } catch {
        this.#giveUp()
      }
    }
  }

  async #launchThere(helper: Helper, kernel: Uncompiled): Promise<void> {
    const milliseconds = await helper.launches.launch(kernel)
    await new Promise((resolve) => setTimeout(resolve, writing))
    if (!this.#held.delete(kernel)) return // given back in the meantime
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
