import { execFile } from 'node:child_process'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { UsageError } from '../../../src/base/errors.ts'
import { holdingRun } from '../../../src/base/node/lock.ts'
import { graft, Workplace } from '../../cli/run.ts'

let place: Workplace
beforeAll(async () => {
  place = await Workplace.make()
})
afterAll(() => place.remove())

test('a run folder that somebody writes to is refused, by whatever name, until it is free again', async () => {
  const run = place.path('runs', 'new')
  await mkdir(place.path('runs'))
  await symlink(place.path('runs'), place.path('link'))
  const body = () => Promise.resolve('done')
  const outer = await holdingRun(run, async () => {
    const message = `another training is writing to ${join(place.path('link'), 'new')}: wait for it, or train into another folder`
    await expect(holdingRun(join(place.path('link'), 'new'), body)).rejects.toThrow(
      new UsageError(message),
    )
    const refused = await graft(['train', place.photos, '--out', run, '--epochs', '1'])
    expect([refused.code, refused.complaints]).toEqual([
      2,
      [`graft: another training is writing to ${run}: wait for it, or train into another folder`],
    ])
    return holdingRun(place.path('runs', 'other'), body)
  })
  expect(outer).toBe('done')
  await expect(holdingRun(run, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
  expect(await holdingRun(run, body)).toBe('done')
})

test('who is killed holds nothing', async () => {
  const run = place.path('killed')
  const module = fileURLToPath(new URL('../../../src/base/node/lock.ts', import.meta.url))
  const code = `import { holdingRun } from ${JSON.stringify(module)}
    await holdingRun(${JSON.stringify(run)}, async () => process.kill(process.pid, 'SIGKILL'))`
  const dead = promisify(execFile)(process.execPath, [
    '--import',
    'tsx',
    '--input-type=module',
    '-e',
    code,
  ])
  await expect(dead).rejects.toMatchObject({ signal: 'SIGKILL' })
  expect(await holdingRun(run, () => Promise.resolve('free'))).toBe('free')
})
