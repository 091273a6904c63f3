import { afterAll, beforeAll, expect, test } from 'vitest'
import { at } from '../../src/base/at.ts'
import { Workplace } from '../cli/run.ts'
import { type CommandName, makeRun, problemWith, runFileNames } from './runFolder.ts'

let place: Workplace
let run: string
beforeAll(async () => {
  place = await Workplace.make()
  run = await makeRun(place.path('fuzz'), place.photos)
}, 120_000)
afterAll(() => place.remove())

// `npm run fuzz:runs` tries 500 of each file with every command; here each of these has two.
const sampled: readonly CommandName[] = ['explain', 'predict', 'report', 'resume']
test.each(runFileNames)(
  'a run whose %s is damaged is read, or refused in one line',
  async (file) => {
    for (let seed = 0; seed < 2 * sampled.length; seed++) {
      const command = at(sampled, seed % sampled.length)
      expect(
        await problemWith(run, place.photos, { file, seed, command }),
        `${command}, seed ${seed}`,
      ).toBe(null)
    }
  },
  300_000,
)
