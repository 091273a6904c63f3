import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { imageOf } from '../data/datasets/archives.ts'
import { withDataset } from './datasetPlace.ts'
import { runHere } from './runHere.ts'

const { server, folder } = withDataset('insects', 'parts', async () => {
  const [red, blue] = await Promise.all([imageOf('red'), imageOf('blue')])
  return {
    'x/train/ants/1.jpg': red,
    'x/train/bees/2.jpg': blue,
    'x/val/ants/3.jpg': red,
    'x/val/bees/4.jpg': blue,
  }
})

const place = () => join(folder(), 'cache', 'datasets', 'insects')

test('datasets are listed with size, source and license, fetched by name, and found by scripts', async () => {
  const listed = await runHere('data', 'list')
  expect(listed.stdout).toMatch(/^name +classes +images +to fetch +folder\n/)
  expect(listed.stdout).toMatch(/\ninsects +2 +4 +\d.* not fetched yet\n/)
  expect(listed.stdout).toMatch(/\n {2}license +none needed\n {2}from +http.*insects\.zip\n/)
  const early = await runHere('data', 'path', 'insects')
  expect([early.code, early.stderr]).toEqual([1, expect.stringContaining('data fetch insects')])
  const offline = await runHere('data', 'fetch', 'insects', '--offline')
  expect([offline.code, offline.stderr]).toEqual([1, expect.stringContaining('while offline')])
  const unknown = await runHere('data', 'fetch', 'wasps')
  expect([unknown.code, unknown.stderr]).toEqual([
    2,
    expect.stringMatching(/^graft: there is no dataset named wasps; the names are .*insects\n$/),
  ])
  expect(server.requests).toEqual([])
  const fetched = await runHere('data', 'fetch', 'insects')
  expect([fetched.code, fetched.stderr]).toEqual([0, ''])
  expect(fetched.stdout).toMatch(/dataset +insects: made for a test\n {2}license +none needed\n/)
  expect(fetched.stdout).toContain(`here         ${place()}\n`)
  expect(fetched.stdout).toMatch(/next .* train insects\n/)
  expect((await runHere('data', 'path', 'insects')).stdout).toBe(`${place()}\n`)
})

test('a name works where a folder does; a folder of that name here wins, and says so', async () => {
  const drawn = await runHere('show-batch', 'insects', '--out', 'sheet.png')
  expect([drawn.code, drawn.stdout]).toEqual([
    0,
    expect.stringContaining('datasets/insects: 2 classes, 2 images to train on, 2 to validate'),
  ])
  await mkdir(join(folder(), 'insects', 'mine'), { recursive: true })
  const own = await runHere('show-batch', 'insects', '--out', 'sheet.png')
  expect(own.stdout).toContain('the folder insects here, not the dataset of that name')
  expect(own.code).toBe(1)
})
