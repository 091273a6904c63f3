/**
 * Kills trainings at random moments, goes on with them, and compares the final weights byte for
 * byte with an uninterrupted run's:
 *     npx tsx test/long/kills.ts [KILLS] [SEED]
 * Each kill is a SIGKILL to the command, at a moment drawn uniformly over the time that a whole run
 * takes; the run is then resumed to its end. Two kinds take turns: every recipe at once, and a head
 * on stored features, whose cache the kill may hit as well. Prints one line a kill, and exits with
 * 1 unless all are the same.
 */
import { readdir, readFile } from 'node:fs/promises'
import { Random } from '../../src/base/random.ts'
import { diskFiles } from '../../src/host/node/files.ts'
import { readCheckpoint } from '../../src/train/checkpoint.ts'
import { graft, Workplace } from '../cli/run.ts'

const [kills = 20, seed = 1] = process.argv.slice(2).map(Number)
const place = await Workplace.make({ train: 16, val: 4 })
const often = ['--checkpoint-every', '0']
const recipes = {
  everything: [
    ...[
      '--scenario',
      'large-similar',
      '--optimizer',
      'sgd',
      '--epochs',
      '4',
      '--batch-size',
      '4',
      '--augment',
      '--schedule',
      'one-cycle',
    ],
    ...[
      '--head-epochs',
      '1',
      '--ema',
      '0.9',
      '--clip',
      '1',
      '--accumulate',
      '2',
      '--mixup',
      '0.3',
      '--keep',
      'best',
      ...often,
    ],
  ],
  head: [
    '--scenario',
    'small-similar',
    '--replace',
    'all',
    '--epochs',
    '30',
    '--batch-size',
    '4',
    ...often,
  ],
} as const
type Kind = keyof typeof recipes

/**
 * Each run has a feature cache of its own: a resumed one finds what its killed half has left, and
 * nothing else.
 */
const train = (name: string, more: readonly string[], killAfter?: number) =>
  graft(['train', place.photos, '--out', place.path(name), ...more], {
    env: { GRAFT_CACHE: place.path(`${name}-cache`) },
    killAfter,
  })
const weights = (name: string) =>
  readFile(place.path(name, 'weights.safetensors')).catch(() => null)

async function whole(kind: Kind) {
  const begun = performance.now()
  const { code, stderr } = await train(kind, recipes[kind])
  const milliseconds = performance.now() - begun
  const bytes = await weights(kind)
  if (code !== 0 || !bytes) throw new Error(stderr)
  console.log(`${kind}: a whole run takes ${(milliseconds / 1000).toFixed(1)} s`)
  return { kind, milliseconds, bytes }
}

const random = new Random(seed)
const references = [await whole('everything'), await whole('head')] as const
let same = 0
for (let kill = 1; kill <= kills; kill++) {
  const { kind, milliseconds, bytes } = references[kill % 2 === 1 ? 0 : 1]
  const name = `run${kill}`
  let [after, killed] = [0, null as Awaited<ReturnType<typeof train>> | null]
  // Drawn again where the run had ended before the signal came.
  for (let tries = 0; killed === null || killed.code === 0; tries++) {
    after = random.uniform() * milliseconds
    killed = await train(name, [...recipes[kind], ...(tries > 0 ? ['--force'] : [])], after)
  }
  const kept = await readCheckpoint(diskFiles, place.path(name, 'checkpoints')).then(
    (one) =>
      one
        ? `epoch ${one.epochs.length + 1} after batch ${one.part?.batches ?? 0}`
        : 'no checkpoint yet',
    (error: unknown) => `UNREADABLE: ${String(error)}`,
  )
  const files = await readdir(place.path(name, 'checkpoints')).catch(() => [])
  const resumed = await train(name, files.length ? ['--resume'] : [...recipes[kind], '--resume'])
  const equal = (await weights(name))?.equals(bytes) === true
  if (equal) same++
  const outcome = equal ? 'same bytes' : `DIFFERENT ${resumed.complaints.join(' ')}`
  console.log(
    `${String(kill).padStart(3)}  ${kind.padEnd(10)}  killed after ${(after / 1000).toFixed(2)} s  ${kept}  resumed: exit ${resumed.code}, ${outcome}`,
  )
}
console.log(`${same} of ${kills} ended on the bytes of the uninterrupted run`)
await place.remove()
process.exitCode = same === kills ? 0 : 1
