/**
 * Kills a training at random moments, goes on with it, and compares the final weights byte for byte with an uninterrupted run's:
 *     npx tsx test/long/kills.ts [KILLS] [SEED]
 * Each kill is a SIGKILL to the command, at a moment drawn uniformly over the time that a whole run takes; the run is then resumed to its end.
 * Prints one line a kill, and exits with 1 unless all are the same.
 */
import { readdir, readFile } from 'node:fs/promises'
import { Random } from '../../src/tensor/philox.ts'
import { readCheckpoint } from '../../src/train/checkpoint.ts'
import { graft, Workplace } from '../cli/run.ts'

const [kills = 20, seed = 1] = process.argv.slice(2).map(Number)
const place = await Workplace.make({ train: 16, val: 4 })
const recipe = [
  ...['--scenario', 'large-similar', '--optimizer', 'sgd', '--epochs', '4', '--batch-size', '4', '--augment', '--schedule', 'one-cycle'],
  ...['--head-epochs', '1', '--ema', '0.9', '--clip', '1', '--accumulate', '2', '--mixup', '0.3', '--checkpoint-every', '0'],
]
const train = (name: string, more: readonly string[], options: Parameters<typeof graft>[1] = {}) =>
  graft(['train', place.photos, '--out', place.path(name), ...more], options)
const weights = (name: string) => readFile(place.path(name, 'weights.safetensors')).catch(() => null)

const begun = performance.now()
const whole = await train('whole', recipe)
const milliseconds = performance.now() - begun
if (whole.code !== 0) throw new Error(whole.stderr)
const wanted = await weights('whole')
console.log(`a whole run takes ${(milliseconds / 1000).toFixed(1)} s; ${kills} kills, seed ${seed}`)

const random = new Random(seed)
let same = 0
for (let kill = 1; kill <= kills; kill++) {
  const name = `run${kill}`
  const after = random.uniform() * milliseconds
  const killed = await train(name, recipe, { killAfter: after })
  const kept = await readCheckpoint(place.path(name, 'checkpoints')).then(
    (one) => (one ? `epoch ${one.epochs.length + 1} after batch ${one.part?.batches ?? 0}` : 'no checkpoint yet'),
    (error: unknown) => `UNREADABLE: ${String(error)}`,
  )
  const files = await readdir(place.path(name, 'checkpoints')).catch(() => [])
  // A run that had ended before the signal came is resumed too.
  const resumed = await train(name, files.length ? ['--resume'] : [...recipe, '--resume'])
  const equal = wanted !== null && (await weights(name))?.equals(wanted) === true
  if (equal) same++
  const ended = killed.code === null ? 'killed' : `ended (${killed.code})`
  console.log(
    `${String(kill).padStart(3)}  ${ended} after ${(after / 1000).toFixed(2)} s  ${kept}  resumed: exit ${resumed.code}, ${equal ? 'same bytes' : 'DIFFERENT'}`,
  )
}
console.log(`${same} of ${kills} ended on the bytes of the uninterrupted run`)
await place.remove()
process.exitCode = same === kills ? 0 : 1
