/**
 * Dawn's binding for Node looks for finished work in every turn of the event loop for as long as
 * anything is outstanding, and lets no turn wait: one core does nothing else. Where the CPU
 * computes, that core is missing: on two cores a training step of alexnet-64 took 1.07 s of
 * processor time in place of 0.69 s, and half as long again by the clock.
 */

/**
 * Milliseconds of sleep at the most: what is found finished that much later, and what everything
 * else in the process waits.
 */
const longest = 2
/** Share of the time waited so far that the next sleep takes: short work is found at once. */
const share = 1 / 8

const cell = new Int32Array(new SharedArrayBuffer(4))
let outstanding = 0
let since = 0
let turning = false

/** Has the thread sleep in between its looking, until `work` settles. */
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
