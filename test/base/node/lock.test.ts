import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { GraftError, UsageError } from '../../../src/base/errors.ts'
import { holdingRun, withLock } from '../../../src/base/node/lock.ts'
import { graft, Workplace } from '../../cli/run.ts'

let place: Workplace
beforeAll(async () => {
  place = await Workplace.make()
})
afterAll(() => place.remove())

const busy = (folder: string) =>
  `another training (process ${process.pid} on ${hostname()}) is writing to ${folder}: ` +
  'wait for it, or train into another folder'
const body = () => Promise.resolve('done')

test('a run folder that somebody writes to is refused, by whatever name, until it is free again', async () => {
  const run = place.path('runs', 'new')
  await mkdir(place.path('runs'))
  await symlink(place.path('runs'), place.path('link'))
  const outer = await holdingRun(run, async () => {
    const message = busy(join(place.path('link'), 'new'))
    await expect(holdingRun(join(place.path('link'), 'new'), body)).rejects.toThrow(
      new UsageError(message),
    )
    const refused = await graft(['train', place.photos, '--out', run, '--epochs', '1'])
    expect([refused.code, refused.complaints]).toEqual([2, [`graft: ${busy(run)}`]])
    return holdingRun(place.path('runs', 'other'), body)
  })
  expect(outer).toBe('done')
  await expect(holdingRun(run, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
  expect(await holdingRun(run, body)).toBe('done')
  expect(await readdir(place.path('runs')), 'what was made for the lock').toEqual([])
})

describe('of several processes', () => {
  const program = fileURLToPath(new URL('../../support/lockTaker.ts', import.meta.url))
  const alive = new Set<ChildProcess>()
  afterEach(() => {
    for (const child of alive) child.kill('SIGKILL')
    alive.clear()
  })

  /** Starts a process that answers `take` with 'held', or with why not. */
  async function start(run: string, tmpdir: string, uid?: number): Promise<ChildProcess> {
    const child = fork(program, [run], {
      execArgv: ['--import', 'tsx'],
      env: { ...process.env, TMPDIR: tmpdir },
      uid,
    })
    alive.add(child)
    expect(await answerOf(child)).toBe('ready')
    return child
  }

  const answerOf = async (child: ChildProcess) => String((await once(child, 'message'))[0])
  const take = (child: ChildProcess) => {
    const answer = answerOf(child)
    child.send('take')
    return answer
  }

  async function kill(child: ChildProcess): Promise<void> {
    alive.delete(child)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  test('one holds the folder, in ten rounds of kill -9 and four at once, whatever TMPDIR is', async () => {
    const run = place.path('contested')
    const long = place.path('t'.repeat(146))
    await mkdir(long)
    const places = [place.folder, place.path('missing'), long, place.path('link')]
    const takers = await Promise.all(places.map((tmpdir) => start(run, tmpdir)))
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(takers.map(take))
      const holder = answers.indexOf('held')
      const held = takers.splice(holder, 1)
      const message = `another training (process ${held[0]?.pid} on ${hostname()}) is writing to`
      answers.splice(holder, 1)
      for (const answer of answers) expect(answer).toMatch(/^another training.* is writing to /)
      await expect(holdingRun(run, body)).rejects.toThrow(message)
      await Promise.all(held.map(kill))
      takers.push(await start(run, places[round % places.length] ?? ''))
    }
    expect(await holdingRun(run, body)).toBe('done')
  }, 120_000)

  const root = process.getuid?.() === 0
  test.skipIf(!root)(
    'of different users as well, where both may write',
    async () => {
      const run = place.path('shared')
      await mkdir(run)
      await chmod(run, 0o777)
      await chmod(place.folder, 0o755)
      const nobody = Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }))
      const [first, second] = [await start(run, place.folder), await start(run, '/tmp', nobody)]
      expect(await take(first)).toBe('held')
      expect(await take(second)).toMatch(/^another training \(process/)
      await kill(first)
      expect(await readdir(run), 'what a killed process leaves').toEqual(['.graft-lock'])
      expect(await take(second)).toBe('held')
    },
    60_000,
  )
})

test('who waits gets the lock as soon as it is free, or stops waiting', async () => {
  const file = place.path('waiting', 'file.lock')
  const order: string[] = []
  let seen = 0
  const taken = () => {
    seen++
    return null
  }
  const hold = (name: string) =>
    withLock(file, { taken }, async () => {
      order.push(`${name} begins`)
      await wait(50)
      order.push(`${name} ends`)
    })
  await Promise.all(['a', 'b', 'c'].map(hold))
  expect(order.filter((_, i) => i % 2 === 0).map((text) => text.replace('begins', 'ends'))).toEqual(
    order.filter((_, i) => i % 2 === 1),
  )
  expect(seen).toBeGreaterThan(0)
  await withLock(file, { taken }, async () => {
    const signal = AbortSignal.timeout(10)
    await expect(withLock(file, { taken, signal }, body)).rejects.toThrow(/abort/i)
  })
})

describe('in one line', () => {
  const causes: Record<string, (file: string) => unknown> = {
    'a pipe': (file) => execFileSync('mkfifo', [file]),
    'a folder': (file) => mkdir(file),
    'a link': (file) => symlink('/etc/passwd', file),
  }
  test.each(Object.entries(causes))(
    '%s in the lock\u2019s place is refused',
    async (name, make) => {
      const run = place.path(name)
      await mkdir(run)
      await make(join(run, '.graft-lock'))
      await expect(holdingRun(run, body)).rejects.toThrow(
        new UsageError(
          `${run}/.graft-lock is in the way of a lock: it is not a regular file; remove it`,
        ),
      )
    },
  )

  test('a folder that cannot be made, or is a file', async () => {
    await writeFile(place.path('file'), '')
    for (const run of ['/proc/graft/run', place.path('file'), place.path('file', 'run')]) {
      const failure = await holdingRun(run, body).catch((error: unknown) => error)
      expect(failure, run).toBeInstanceOf(GraftError)
      expect(String(failure)).toMatch(/^GraftError: cannot write .*graft-lock: /)
    }
    expect((await stat(place.path('file'))).size).toBe(0)
  })

  test('a file system without locks, and a machine without the package', async () => {
    const failure = (code: string, message: string) => Object.assign(new Error(message), { code })
    const tryLock = () => {
      throw failure('ENOLCK', 'no locks available')
    }
    const run = place.path('unlockable')
    try {
      vi.doMock('fs-native-extensions', () => ({ tryLock }))
      await expect(holdingRun(run, body)).rejects.toThrow(
        new GraftError(
          'lock',
          `cannot lock ${run}/.graft-lock: this file system has no locks (no locks available), ` +
            'and two processes could write there at once; choose a folder on another disk',
        ),
      )
      vi.doMock('fs-native-extensions', () => {
        throw failure('ADDON_NOT_FOUND', 'Cannot find addon')
      })
      await expect(holdingRun(run, body)).rejects.toThrow(/does not load on this machine, /)
    } finally {
      vi.doUnmock('fs-native-extensions')
    }
    await expect(stat(run)).rejects.toThrow('ENOENT')
  })
})
