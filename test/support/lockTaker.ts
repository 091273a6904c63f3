/** A process that takes the lock of the run folder in its arguments each time it is told to. */
import { holdingRun } from '../../src/base/node/lock.ts'

const [folder = ''] = process.argv.slice(2)

process.on('message', () => {
  holdingRun(folder, () => {
    process.send?.('held')
    return new Promise(() => {})
  }).catch((error: Error) => process.send?.(error.message))
})
process.send?.('ready')
