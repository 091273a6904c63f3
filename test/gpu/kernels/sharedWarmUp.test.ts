import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import type { CompiledKernel, Uncompiled } from '../../../src/gpu/kernels/pipelines.ts'
import { SharedWarmUp } from '../../../src/gpu/kernels/sharedWarmUp.ts'

/** Kernels with texts of these lengths. */
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

interface Scenario {
  /** Milliseconds of a launch whose machine code is new, and of one whose code is on the disk. */
  readonly fresh: number
  readonly known: number
  readonly open?: () => void
  readonly there?: (kernel: Uncompiled) => void
  readonly compile?: (kernel: Uncompiled) => void
}

/**
 * Warms up seven kernels on simulated devices that report these times. Real time passes only while
 * the helper waits for the driver to write to the disk.
 */
async function simulate({ fresh, known, open, there, compile }: Scenario) {
  const written = new Set<Uncompiled>()
  const [here, helped]: [string[], string[]] = [[], []]
  let [opened, disposed, ready] = [0, 0, 0]
  const shared = new SharedWarmUp(
    {
      async launch(kernel, compiled) {
        await compiled
        here.push(kernel.name)
        await new Promise((resolve) => setTimeout(resolve, 12)) // enough time for the helper
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

describe('a shared warm-up', () => {
  test('uses the helper where the disk keeps machine code', async () => {
    const { here, helped, opened, disposed, ready, failure } = await simulate({
      fresh: 500,
      known: 5,
    })
    expect([...here].sort()).toEqual(everyName)
    expect({ opened, disposed, ready, failure }).toEqual({
      opened: 1,
      disposed: 1,
      ready: 7,
      failure: null,
    })
    // the shortest: it shows soonest whether machine code is being made
    expect(here[0]).toBe('kernel 2')
    expect(helped[0]).toBe('kernel 4') // the next shortest: it shows whether the helper saves time
    expect(helped.length).toBeGreaterThan(1)
    expect(new Set(helped).size).toBe(helped.length)
  })

  test('tries the helper with one kernel where the disk keeps nothing', async () => {
    const { here, helped, opened, disposed, ready } = await simulate({ fresh: 500, known: 500 })
    expect([...here].sort()).toEqual(everyName)
    expect(helped).toEqual(['kernel 4'])
    expect({ opened, disposed, ready }).toEqual({ opened: 1, disposed: 1, ready: 7 })
  })

  test('opens no helper where the disk has everything already', async () => {
    const { here, opened, ready } = await simulate({ fresh: 5, known: 5 })
    expect([...here].sort()).toEqual(everyName)
    expect({ opened, ready }).toEqual({ opened: 0, ready: 7 })
  })

  test('launches everything here where the helper cannot be opened, or fails later', async () => {
    const none = await simulate({
      fresh: 500,
      known: 5,
      open: () => {
        throw new Error('no second device')
      },
    })
    let launched = 0
    const failing = await simulate({
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

  test('throws for a kernel that does not compile, and closes the helper', async () => {
    const broken = (kernel: Uncompiled) => {
      if (kernel.name === 'kernel 3') throw new Error('kernel 3 does not compile')
    }
    const { opened, disposed, failure } = await simulate({
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

describe('a new process', () => {
  const folders: string[] = []
  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true })
  })

  test.each(['with an empty cache of the driver', 'without a cache of the driver'])(
    '%s computes the same loss, and ends by itself',
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
      expect(loss).toBeCloseTo(Math.log(3), 6) // three equal logits
      expect(open).toBe(0)
    },
  )
})
