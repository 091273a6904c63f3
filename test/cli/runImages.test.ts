import { cp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
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

  for (const name of await readdir(whole))
    for (const i of [0, 1, 2])
      await cp(join(divided, 'val', name, '0.png'), join(whole, name, `a-${i}.png`))
  const warning = `graft: ${whole} holds other images than when ${run} was trained, so others are held out: some may be known from training; keep those to validate on apart, in train/ and val/`
  expect((await graft(['evaluate', run, whole])).complaints).toEqual([warning])
  expect((await graft(['report', run])).complaints).toEqual([warning])
  expect((await graft(['evaluate', run, whole, '--split', 'all'])).complaints).toEqual([])
  const elsewhere = place.path('elsewhere')
  await cp(whole, elsewhere, { recursive: true })
  expect((await graft(['evaluate', run, elsewhere])).complaints).toEqual([])
  expect((await graft([...train, '--resume', '--epochs', '2'])).complaints).toEqual([warning])
  expect((await graft(['evaluate', run, whole])).complaints).toEqual([])
})

test('with train/ and val/ nothing moves from one to the other, and nothing is said', async () => {
  const [photos, run] = [place.path('apart'), place.path('apart-run')]
  await cp(place.photos, photos, { recursive: true })
  expect((await graft(['train', photos, '--out', run, '--epochs', '1'])).complaints).toEqual([])
  await rm(join(photos, 'train', 'circle', '0.png'))
  expect((await graft(['evaluate', run, photos])).complaints).toEqual([])
  expect(
    (await graft(['train', photos, '--out', run, '--resume', '--epochs', '2'])).complaints,
  ).toEqual([])
})
