/**
 * Damages every file of a run folder in hundreds of ways, and runs every command on each: `npm run
 * fuzz:runs`, or `npm run fuzz:runs -- --runs 50 --seed 7 --only config.json --command report`.
 * Ends with 1 where one ends otherwise than with a result or one line.
 */
import { parseArgs } from 'node:util'
import { Workplace } from '../cli/run.ts'
import { commandNames, makeRun, problemWith, runFileNames } from './runFolder.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '500' },
    seed: { type: 'string', default: '0' },
    only: { type: 'string' },
    command: { type: 'string' },
  },
})
const first = Number(values.seed)
const place = await Workplace.make()
const run = await makeRun(place.path('fuzz'), place.photos)
let failures = 0
for (const file of runFileNames.filter((name) => !values.only || name === values.only))
  for (const command of commandNames.filter((name) => !values.command || name === values.command)) {
    let failed = 0
    for (let seed = first; seed < first + Number(values.runs); seed++) {
      const problem = await problemWith(run, place.photos, { file, seed, command })
      if (problem === null) continue
      failed++
      console.log(`  ${file}, ${command}, seed ${seed}: ${problem.slice(0, 500)}`)
    }
    console.log(`${file}, ${command}: ${values.runs} damages, ${failed} failed`)
    failures += failed
  }
await place.remove()
process.exit(failures > 0 ? 1 : 0)
