import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import type { CompiledKernel, Uncompiled } from '../../../src/gpu/kernels/pipelines.ts'
import { SharedWarmUp } from '../../../src/gpu/kernels/sharedWarmUp.ts'

/** Kernels whose texts are so many characters long. */
function kernelsOf(lengths: readonly number[]): Uncompiled[] {
  return lengths.map((length, i) => ({
    name: `kernel ${i}`,
    constants: {},
    source: {
      code: ' '.repeat(length),
      origins: [],
      interface: { bindings: [], params: [], overrides: new Set<string>(), workgroup: [] },
    },
  }))
}

const sevenKernels = kernelsOf([50, 1000, 30, 700, 40, 900, 60])

interface Story {
  /** What a launch takes where nobody made the kernel before, and where another device did. */
  readonly fresh: number
  readonly known: number
  readonly open?: () => void
  readonly there?: (kernel: Uncompiled) => void
  readonly compile?: (kernel: Uncompiled) => void
}

/**
 * Launches seven kernels on devices that say how long they took; real time passes only where the
 * helper waits for the driver to write.
 */
async function tell({ fresh, known, open, there, compile }: Story) {
  const written = new Set<Uncompiled>()
  const [here, helped]: [string[], string[]] = [[], []]
  let [opened, disposed, ready] = [0, 0, 0]
  const shared = new SharedWarmUp(
    {
      async launch(kernel, compiled) {
        await compiled
        here.push(kernel.name)
        await new Promise((resolve) => setTimeout(resolve, 12)) // time enough for the helper
        return written.has(kernel) ? known : fresh
      },
    },
    async () => {
      opened++
      open?.()
      const launch = async (kernel: Uncompiled) => {
        there?.(kernel)
        helped.push(kernel.name)
        if (known < fresh) written.add(kernel)
        return fresh
      }
      return { launcher: { launch }, dispose: () => disposed++ }
    },
  )
  const pipelines = {
    compile: async (kernel: Uncompiled) => {
      compile?.(kernel)
      return kernel as CompiledKernel
    },
  }
  const failure = await shared
    .run(sevenKernels, pipelines, () => ready++)
    .then(
      () => null,
      (error: Error) => error.message,
    )
  return { here, helped, opened, disposed, ready, failure }
}

const everyName = sevenKernels.map(({ name }) => name)

describe('shared first launches', () => {
  test('where the disk keeps machine code, a helper takes its share, and each kernel is launched here once', async () => {
    const { here, helped, opened, disposed, ready, failure } = await tell({ fresh: 500, known: 5 })
    expect([...here].sort()).toEqual(everyName)
    expect({ opened, disposed, ready, failure }).toEqual({
      opened: 1,
      disposed: 1,
      ready: 7,
      failure: null,
    })
    // the shortest: it tells soonest whether machine code is being made
    expect(here[0]).toBe('kernel 2')
    expect(helped[0]).toBe('kernel 4') // the next: it tells whether help pays
    expect(helped.length).toBeGreaterThan(1)
    expect(new Set(helped).size).toBe(helped.length)
  })

  test('where it keeps none, the helper makes one kernel in vain', async () => {
    const { here, helped, opened, disposed, ready } = await tell({ fresh: 500, known: 500 })
    expect([...here].sort()).toEqual(everyName)
    expect(helped).toEqual(['kernel 4'])
    expect({ opened, disposed, ready }).toEqual({ opened: 1, disposed: 1, ready: 7 })
  })

  test('where everything is there already, nobody is asked', async () => {
    const { here, opened, ready } = await tell({ fresh: 5, known: 5 })
    expect([...here].sort()).toEqual(everyName)
    expect({ opened, ready }).toEqual({ opened: 0, ready: 7 })
  })

  test('a helper that cannot be had, or fails on the way, leaves everything to be launched here', async () => {
    const none = await tell({
      fresh: 500,
      known: 5,
      open: () => {
        throw new Error('no second device')
      },
    })
    let launched = 0
    const failing = await tell({
      fresh: 500,
      known: 5,
      there: () => {
        if (++launched > 1) throw new Error('the helper is lost')
      },
    })
    for (const { here, ready, failure } of [none, failing]) {
      expect([...here].sort()).toEqual(everyName)
      expect({ ready, failure }).toEqual({ ready: 7, failure: null })
    }
    expect([none.disposed, failing.disposed]).toEqual([0, 1])
  })

  test('a kernel that does not compile is thrown, and the helper goes', async () => {
    const broken = (kernel: Uncompiled) => {
      if (kernel.name === 'kernel 3') throw new Error('kernel 3 does not compile')
    }
    const { opened, disposed, failure } = await tell({
      fresh: 500,
      known: 5,
      compile: broken,
      there: broken,
    })
    expect({ opened, disposed, failure }).toEqual({
      opened: 1,
      disposed: 1,
      failure: 'kernel 3 does not compile',
    })
  })
})

describe('a process that starts', () => {
  const folders: string[] = []
  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true })
  })

  test.each(['with an empty cache of the driver', 'without a cache of the driver'])(
    '%s computes the same, and ends by itself',
    async (how) => {
      const folder = await mkdtemp(join(tmpdir(), 'graft-cold-'))
      folders.push(folder)
      const cache = how.startsWith('without')
        ? { MESA_SHADER_CACHE_DISABLE: 'true' }
        : { MESA_SHADER_CACHE_DIR: folder }
      const script = fileURLToPath(new URL('../cold.ts', import.meta.url))
      const args = ['--import', 'tsx', script, process.env.GRAFT_ADAPTER ?? 'auto']
      const { stdout } = await promisify(execFile)(process.execPath, args, {
        env: { ...process.env, ...cache },
        timeout: 120_000,
      })
      const { progress, loss, open } = JSON.parse(stdout)
      expect(progress).toEqual(
        Array.from({ length: progress.length }, (_, i) => [i + 1, progress.length]),
      )
      expect(loss).toBeCloseTo(Math.log(3), 6) // three logits that are all alike
      expect(open).toBe(0)
    },
  )
})
