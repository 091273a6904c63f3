/**
 * Makes some three thousand checkpoints with PyTorch, as training scripts nest and name them, and
 * reads each: every bit of its values and the same logits, or the right sentence.
 *     npx tsx test/long/checkpoints.ts
 * Prints what is wrong, and exits with 1 unless nothing is.
 */
import { createEngine } from '../../src/index.ts'
import { tryMatrix } from '../weights/matrix.ts'

const engine = await createEngine()
const { count, wrong } = await tryMatrix(engine, 'full')
for (const line of wrong) console.log(line)
console.log(`${count - wrong.length} of ${count} checkpoints are read rightly`)
engine.dispose()
process.exitCode = wrong.length > 0 ? 1 : 0
