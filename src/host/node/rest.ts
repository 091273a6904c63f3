/**
 * While any work is outstanding, Dawn's binding for Node polls for finished work in every turn of
 * the event loop and lets no turn wait, so one core does nothing else. If the adapter computes on
 * the CPU, it lacks that core: on two cores a training step of alexnet-64 took 1.07 s of processor
 * time instead of 0.69 s, and 1.5 times as long on the clock.
 */

/**
 * The longest sleep in milliseconds. Finished work is noticed that much later, and everything else
 * in the process waits that long.
 */
const longest = 2
/** The next sleep as a share of the time waited so far: short work is noticed at once. */
const share = 1 / 8

const cell = new Int32Array(new SharedArrayBuffer(4))
let outstanding = 0
let since = 0
let turning = false

/** Lets the thread sleep between the polls until `work` settles. */
export function rest(work: Promise<unknown>): void {
  const ended = () => {
    outstanding--
    since = performance.now()
  }
  outstanding++
  since = performance.now()
  work.then(ended, ended)
  if (turning) return
  turning = true
  setImmediate(turn).unref()
}

function turn(): void {
  turning = outstanding > 0
  if (!turning) return
  Atomics.wait(cell, 0, 0, Math.min(longest, share * (performance.now() - since)))
  setImmediate(turn).unref()
}
