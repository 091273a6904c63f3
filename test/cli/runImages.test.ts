import { cp, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { plainPng } from '../data/images.ts'
import { graft, Workplace } from './run.ts'

let place: Workplace
beforeAll(async () => {
  place = await Workplace.make()
})
afterAll(() => place.remove())

// Where nothing says which images validate, the seed does, over those that are there: one more, and
// others are held out.
test('images that came since a run was trained are told of where figures of those held out would flatter it', async () => {
  const [divided, run] = [place.photos, place.path('run')]
  const whole = place.path('whole')
  for (const part of ['train', 'val'])
    for (const name of await readdir(join(divided, part)))
      for (const file of await readdir(join(divided, part, name)))
        await cp(join(divided, part, name, file), join(whole, name, `${part}-${file}`))
  const train = ['train', whole, '--out', run]
  expect((await graft([...train, '--epochs', '1'])).complaints).toEqual([])
  expect((await graft(['evaluate', run, whole])).complaints).toEqual([])

  for (const [c, name] of (await readdir(whole)).entries())
    for (const i of [0, 1, 2])
      await writeFile(join(whole, name, `a-${i}.png`), await plainPng(40 * i, 60 * c, 90))
  const warning = `graft: ${whole} holds other images than when ${run} was trained, so others are held out: some may be known from training; keep those to validate on apart, in train/ and val/`
  expect((await graft(['evaluate', run, whole])).complaints).toEqual([warning])
  expect((await graft(['report', run])).complaints).toEqual([warning])
  expect((await graft(['evaluate', run, whole, '--part', 'all'])).complaints).toEqual([])
  const elsewhere = place.path('elsewhere')
  await cp(whole, elsewhere, { recursive: true })
  // Others than the run's own are all evaluated, and those among them that it was trained on named.
  expect((await graft(['evaluate', run, elsewhere])).complaints).toEqual([
    expect.stringMatching(/^graft: \d+ images are among those that the run was trained on/),
  ])
  expect((await graft([...train, '--resume', '--epochs', '2'])).complaints).toEqual([warning])
  expect((await graft(['evaluate', run, whole])).complaints).toEqual([])
})

test('with train/ and val/ nothing moves from one to the other, and nothing is said', async () => {
  const [photos, run] = [place.path('apart'), place.path('apart-run')]
  await cp(place.photos, photos, { recursive: true })
  expect((await graft(['train', photos, '--out', run, '--epochs', '1'])).complaints).toEqual([])
  await rm(join(photos, 'train', 'circle', '0.png'))
  expect((await graft(['evaluate', run, photos])).complaints).toEqual([])
  const resumed = await graft(['train', photos, '--out', run, '--resume', '--epochs', '2'])
  expect(resumed.complaints).toEqual([])
  // Before it trains: before the first epoch's line.
  const changed = /changed +the images to train on are others than when .* was trained[\s\S]*2\/2/
  expect(resumed.stdout).toMatch(changed)

  const again = await graft(['train', photos, '--out', run, '--resume', '--epochs', '3'])
  expect(again.stdout).not.toContain('changed')
  await writeFile(join(photos, 'val', 'circle', '0.png'), await plainPng(9, 8, 7))
  const other = await graft(['train', photos, '--out', run, '--resume', '--epochs', '4'])
  expect(other.stdout).toMatch(/changed +some files have other sizes than when[\s\S]*4\/4/)
})
