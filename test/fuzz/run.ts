/**
 * Opens thousands of randomly damaged files of every format that Graft reads: `npm run fuzz`, or
 * `npm run fuzz -- --runs 100 --seed 7 --only png`. Each must be read or be refused with a typed
 * error of one line, within a second of the processor's time and 100 MB of memory. The files are
 * opened in a process of their own, which is ended if it hangs. Linux only. Ends with 1 where a
 * case fails, and names its seed and number.
 */
import { fork } from 'node:child_process'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Report, Task } from './child.ts'
import { makeSubjects } from './subjects.ts'

const limits = { seconds: 1, megabytes: 100 }
/** A case that has not ended after this time, by the clock, hangs. */
const hangs = 20_000

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '15' },
    only: { type: 'string' },
  },
})
const seed = Number(values.seed)
const names = (await makeSubjects())
  .map(({ name }) => name)
  .filter((name) => values.only === undefined || name === values.only)
if (names.length === 0) throw new Error(`no files of the kind ${values.only}`)
const count = Math.ceil(Number(values.runs) / names.length)

interface Outcome {
  readonly index: number
  readonly what: string
  readonly seconds: number
  readonly megabytes: number
  readonly problem: string | null
}

/** Opens the cases of a subject from `first` on, until all are open or one ends the process. */
function openFrom(subject: string, first: number): Promise<Outcome[]> {
  const task: Task = { subject, seed, count, first }
  const child = fork(fileURLToPath(new URL('child.ts', import.meta.url)), [JSON.stringify(task)], {
    execArgv: ['--import', 'tsx', '--expose-gc'],
    // Without the user's own list of weights.
    env: { ...process.env, XDG_CONFIG_HOME: tmpdir() },
  })
  const outcomes: Outcome[] = []
  let begun: Report | null = null
  let watch: NodeJS.Timeout | undefined
  return new Promise((resolve) => {
    child.on('message', (message) => {
      const report = message as Report
      clearTimeout(watch)
      begun = report.ended ? null : report
      if (report.ended) outcomes.push({ index: report.index, what: report.what, ...report.ended })
      else watch = setTimeout(() => child.kill('SIGKILL'), hangs)
    })
    child.on('exit', (code, signal) => {
      clearTimeout(watch)
      const problem = `the process ended with ${signal ?? code}`
      if (begun) outcomes.push({ ...begun, seconds: 0, megabytes: 0, problem })
      else if (outcomes.length < count - first) throw new Error(`${subject}: ${problem}`)
      resolve(outcomes)
    })
  })
}

let failures = 0
for (const name of names) {
  const outcomes: Outcome[] = []
  while (outcomes.length < count) outcomes.push(...(await openFrom(name, outcomes.length)))
  const most = (key: 'seconds' | 'megabytes') => Math.max(...outcomes.map((one) => one[key]))
  const bad = outcomes.filter(
    ({ seconds, megabytes, problem }) =>
      problem !== null || seconds > limits.seconds || megabytes > limits.megabytes,
  )
  failures += bad.length
  console.log(
    `${name}: ${outcomes.length} files, at most ${most('seconds').toFixed(2)} s ` +
      `and ${most('megabytes').toFixed(0)} MB, ${bad.length} failed`,
  )
  for (const { index, what, seconds, megabytes, problem } of bad)
    console.log(
      `  case ${index} of seed ${seed}: ${seconds.toFixed(2)} s, ${megabytes.toFixed(0)} MB, ` +
        `${problem ?? 'over the limits'}\n    ${what.slice(0, 500)}`,
    )
}
console.log(`${count * names.length} files, ${failures} failed`)
process.exitCode = failures > 0 ? 1 : 0
