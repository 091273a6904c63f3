import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import sharp from 'sharp'
import { at } from '../../src/base/at.ts'
import { Random } from '../../src/index.ts'
import type { NdArray } from '../arrays.ts'
import type { Case, Contestant } from '../contest.ts'
import { initialWeights } from '../networks/graft.ts'
import { alexnet64, costOf } from '../networks/plan.ts'
import { logitsOf } from '../networks/reference.ts'
import type { Peers } from './common.ts'
import { expectedLoss } from './network.ts'

const batch = 64
const size = alexnet64.size
/** ImageNet's mean and standard deviation, with which alexnet-64 normalizes its input. */
const mean = [0.485, 0.456, 0.406]
const std = [0.229, 0.224, 0.225]
const labels = [7, 3]

/**
 * From the start of a new process to the end of the first training step of alexnet-64: Node, the
 * adapter, pipelines, images, one step, its loss. Cold: the driver's cache of compiled shaders is
 * empty; warm: it has those of an earlier run.
 */
export function firstStepCases({ engine }: Peers): Case[] {
  const images = [1, 2].map((seed) => {
    const random = new Random(seed)
    return Uint8Array.from({ length: 3 * size * size }, () => random.below(256))
  })
  return (['cold', 'warm'] as const).map(
    (pass): Case => ({
      name: 'first step',
      pass,
      shape: `alexnet-64, batch ${batch}, from the start of the process`,
      family: 'start',
      ...costOf(alexnet64, batch, true),
      expected: async () =>
        expectedLoss(
          logitsOf(normalized(images), await initialWeights(engine, alexnet64), alexnet64),
          Int32Array.from(labels),
        ),
      contestants: { graft: () => starts(images, engine.info.kind, pass) },
    }),
  )
}

function normalized(images: readonly Uint8Array[]): NdArray {
  const data = new Float32Array(images.length * 3 * size * size)
  for (const [n, pixels] of images.entries())
    for (let c = 0; c < 3; c++)
      for (let i = 0; i < size * size; i++)
        data[(n * 3 + c) * size * size + i] =
          (at(pixels, 3 * i + c) / 255 - at(mean, c)) / at(std, c)
  return { shape: [images.length, 3, size, size], data }
}

async function starts(
  images: readonly Uint8Array[],
  kind: string,
  pass: 'cold' | 'warm',
): Promise<Contestant> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-bench-'))
  const files = images.map((_, i) => join(folder, `${i}.png`))
  for (const [i, pixels] of images.entries())
    await writeFile(
      at(files, i),
      await sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
        .png()
        .toBuffer(),
    )
  // Mesa's drivers (lavapipe is one) and NVIDIA's keep compiled shaders on disk; SwiftShader does
  // not.
  const start = async () => {
    const cache = pass === 'cold' ? await mkdtemp(join(folder, 'cache-')) : folder
    return firstStep([kind, ...files], {
      ...process.env,
      MESA_SHADER_CACHE_DIR: cache,
      __GL_SHADER_DISK_CACHE_PATH: cache,
    })
  }
  return {
    time: async () => (await start()).ms,
    values: async () => Float32Array.of((await start()).loss),
    dispose: () => rm(folder, { recursive: true, force: true }),
  }
}

/** Runs bench/firstStep.ts and waits for the loss that it prints. */
async function firstStep(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly ms: number; readonly loss: number }> {
  const begun = performance.now()
  const script = join(import.meta.dirname, '..', 'firstStep.ts')
  const root = join(import.meta.dirname, '..', '..') // where tsx is
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  let complaint = ''
  child.stderr.on('data', (text) => {
    complaint += text
  })
  for await (const line of createInterface({ input: child.stdout })) {
    const ms = performance.now() - begun
    await ended
    return { ms, loss: Number(line) }
  }
  throw new Error(
    `bench/firstStep.ts ended before it printed a loss: ${complaint.trim().split('\n').at(-1)}`,
  )
}
