/**
 * How long each hostile file takes and how much memory: `npx tsx test/weights/hostile/measure.ts`.
 * Time is the processor's, of all threads, so that whoever else is at work on the machine does not
 * count. Linux only: the process' peak memory is reset before each file, by /proc/self/clear_refs.
 * Ends with 1 where one takes more than a second or 100 MB, or is not refused.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WeightsError } from '../../../src/base/errors.ts'
import { loadWeights } from '../../../src/weights/load.ts'
import { measured } from '../../support/measured.ts'
import { hostile, lay, sound } from './index.ts'

const limits = { seconds: 1, megabytes: 100 }

const root = await mkdtemp(join(tmpdir(), 'graft-hostile-'))
// What the readers themselves are made of is loaded before anything is measured.
for (const [i, file] of sound.entries()) await loadWeights(await lay(join(root, `sound${i}`), file))
const rows: { title: string; seconds: number; megabytes: number; refused: boolean }[] = []
for (const [i, file] of hostile.entries()) {
  const path = await lay(join(root, String(i)), file)
  const { outcome, seconds, megabytes } = await measured(() =>
    loadWeights(path).catch((error: unknown) => error),
  )
  rows.push({
    title: file.title,
    seconds,
    megabytes,
    refused: outcome instanceof WeightsError,
  })
  await rm(join(root, String(i)), { recursive: true })
}
await rm(root, { recursive: true })

const line = ({ title, seconds, megabytes }: (typeof rows)[number]) =>
  `  ${seconds.toFixed(3)} s  ${megabytes.toFixed(0).padStart(4)} MB  ${title}`
const worst = (key: 'seconds' | 'megabytes') =>
  [...rows]
    .sort((a, b) => b[key] - a[key])
    .slice(0, 5)
    .map(line)
const bad = rows.filter(
  ({ seconds, megabytes, refused }) =>
    seconds > limits.seconds || megabytes > limits.megabytes || !refused,
)
console.log(`${rows.length} files, ${rows.filter(({ refused }) => refused).length} refused`)
console.log(['slowest:', ...worst('seconds'), 'largest:', ...worst('megabytes')].join('\n'))
if (bad.length > 0) console.log(['over the limits, or read:', ...bad.map(line)].join('\n'))
process.exitCode = bad.length > 0 ? 1 : 0
