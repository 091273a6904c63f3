/** Reads a weights file and prints what it held: the process' memory before, and at its peak. */
import { loadWeights } from '../../../src/weights/load.ts'

const heldMiB = process.memoryUsage.rss() / 2 ** 20
const { tensors } = await loadWeights(process.argv[2] ?? '')
const parameters = Object.values(tensors).reduce((sum, { data }) => sum + data.length, 0)
console.log(JSON.stringify({ parameters, heldMiB, peakMiB: process.resourceUsage().maxRSS / 2 ** 10 }))
