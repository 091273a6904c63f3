/** Reads a weights file and prints what it held: the process' memory before, and at its peak. */
import { readFileSync } from 'node:fs'
import { loadWeights } from '../../../src/weights/load.ts'

/**
 * The peak of this program; what getrusage says on Linux is at least what the process that started
 * it held.
 */
function peakMiB(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS / 2 ** 10
  return Number(/VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 2 ** 10
}

const heldMiB = process.memoryUsage.rss() / 2 ** 20
const { tensors } = await loadWeights(process.argv[2] ?? '')
const parameters = Object.values(tensors).reduce((sum, { data }) => sum + data.length, 0)
console.log(JSON.stringify({ parameters, heldMiB, peakMiB: peakMiB() }))
