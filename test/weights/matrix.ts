/**
 * The checkpoints of matrix.py through Graft: each has every bit of its values, or fails with the
 * right sentence. matrix.test.ts tries a sample of them, test/long/checkpoints.ts all.
 */
import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { alexnet } from '../../src/nn/alexnet.ts'
import type { Network } from '../../src/nn/network.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import { loadWeights } from '../../src/weights/load.ts'
import { sameBits } from '../support/bits.ts'
import { pytorch } from '../support/pytorch.ts'

interface Case {
  readonly file: string
  readonly type: string
  readonly prefix: string
  readonly extra: string
  /** Null for safetensors, which has no nesting. */
  readonly nesting: string | null
  readonly ignored: readonly string[]
}

/**
 * Makes the checkpoints and reads them.
 * @returns how many there were, and what is wrong with each that is not read rightly
 */
export async function tryMatrix(
  engine: Engine,
  size: 'full' | 'sample',
): Promise<{ readonly count: number; readonly wrong: readonly string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-matrix-'))
  try {
    const script = fileURLToPath(new URL('matrix.py', import.meta.url))
    const { status, stderr } = spawnSync(pytorch ?? 'python3', [script, folder, size], {
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(stderr)
    const cases = JSON.parse(await readFile(join(folder, 'cases.json'), 'utf8')) as Case[]
    const references = new Map<string, Reference>()
    const wrong: string[] = []
    for (const one of cases) {
      const known = references.get(one.type)
      const reference = known ?? (await referenceOf(engine, folder, one.type))
      references.set(one.type, reference)
      const problem = await problemWith(engine, folder, one, reference)
      if (problem) wrong.push(`${JSON.stringify(one)}: ${problem}`)
    }
    return { count: cases.length, wrong }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** The values of one type, and the logits they give. */
interface Reference {
  readonly state: Awaited<ReturnType<Network['stateDict']>>
  readonly logits: Float32Array
}

async function referenceOf(engine: Engine, folder: string, type: string): Promise<Reference> {
  const weights = join(folder, `expected-${type}.safetensors`)
  const model = await alexnet(engine, { weights })
  const logits = await logitsOf(model)
  model.dispose()
  return { state: (await loadWeights(weights)).tensors, logits }
}

async function logitsOf(model: Network): Promise<Float32Array> {
  const { engine } = model
  const values = Float32Array.from({ length: 3 * 64 * 64 }, (_, i) => Math.sin(i))
  const x = engine.tensor(values, [1, 3, 64, 64])
  const y = engine.noGrad(() => model.forward(x))
  const logits = await y.data()
  for (const tensor of [x, y]) tensor.dispose()
  return logits
}

/** What is wrong with what Graft makes of a checkpoint, or null. */
async function problemWith(
  engine: Engine,
  folder: string,
  { file, extra, nesting, ignored }: Case,
  { state, logits }: Reference,
): Promise<string | null> {
  let model: Network
  try {
    model = await alexnet(engine, { weights: join(folder, file) })
  } catch (error) {
    const { message } = error as Error
    const wanted = /AlexNet has no parameter features\.0\.weight_orig: /
    return extra === 'pruning' && wanted.test(message) ? null : message
  }
  try {
    if (extra === 'pruning') return 'was loaded'
    if (model.missing.length > 0) return `lacks ${model.missing.join()}`
    if (model.ignored.join() !== ignored.join()) return `ignores ${model.ignored.join()}`
    const said = model.remarks.join()
    const unsaid = ignored.find((name) => !said.includes(name))
    if (unsaid) return `does not say that ${unsaid} is ignored: ${said}`
    if (nesting === 'an average beside' && !/"state_dict_ema", an average/.test(said))
      return `does not say that it took the average: ${said}`
    if (extra === 'an object' && nesting && !/args/.test(said))
      return `does not name the object beside the weights: ${said}`
    for (const [name, { data }] of Object.entries(await model.stateDict()))
      if (!sameBits(data, state[name]?.data)) return `${name} differs`
    return sameBits(await logitsOf(model), logits) ? null : 'the logits differ'
  } finally {
    model.dispose()
  }
}
