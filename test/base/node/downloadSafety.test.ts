import { link, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { GraftError, WeightsError } from '../../../src/base/errors.ts'
import { type DownloadOptions, download } from '../../../src/base/node/download.ts'
import { withLock } from '../../../src/base/node/lock.ts'
import { send } from '../../support/fileServer.ts'
import { downloadPlace } from './downloadPlace.ts'

const place = downloadPlace(50_000)
const { file, sha256, server, fetchFile, arrived } = place
beforeEach(async () => {
  await mkdir(join(place.folder, 'cache'))
  server.now((visit) => send(file, visit))
})

test('an address with a password is refused before anything is asked, and is not shown', async () => {
  for (const user of ['ann:s3cret@', 's3cret@', ':s3cret@']) {
    const url = new URL(server.url('/file.pth').href.replace('//', `//${user}`))
    const error = await download('mine', url, place.path, sha256).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(WeightsError)
    expect((error as Error).message).toMatch(/^mine: its address holds a user name or a password/)
    expect((error as Error).message).not.toMatch(/s3cret/)
  }
  expect(server.requests).toEqual([])
})

describe('what lies where the part file goes', () => {
  test.each<[string, (victim: string, part: string) => Promise<void>]>([
    ['a link to a file', symlink],
    ['a link to a file that is not there', (_, part) => symlink(join(place.folder, 'new'), part)],
    ['another name of a file', link],
  ])('%s is not written through', async (_, lay) => {
    const victim = join(place.folder, 'precious')
    await writeFile(victim, 'precious')
    await lay(victim, `${place.path}.part`)
    await fetchFile()
    expect([await arrived(), await readFile(victim, 'utf8')]).toEqual([true, 'precious'])
    expect((await readdir(place.folder)).sort()).toEqual(['cache', 'precious'])
  })

  test('a folder is an error in one line', async () => {
    await mkdir(`${place.path}.part`)
    await expect(fetchFile()).rejects.toThrow(/^cannot write .*file\.pth\.part: /)
  })
})

describe('a server that gives too little', () => {
  /** Two bytes at a time, for ever. */
  const trickle = (response: ServerResponse) => {
    response.writeHead(200, { 'content-length': file.length })
    const timer = setInterval(() => response.write(file.subarray(0, 2)), 5)
    response.on('close', () => clearInterval(timer))
  }

  test('ends in an error, though every attempt brings some bytes', async () => {
    server.now(({ response }) => trickle(response))
    await expect(fetchFile({ minRate: 100_000, rateWindow: 40 })).rejects.toThrow(
      /^mine: cannot be fetched from .* \(only \d+ bytes a second, and 100000 are the least\)/,
    )
    expect(server.requests.length).toBe(4)
  })

  test('at first is forgiven', async () => {
    server.now((visit) => (visit.number === 1 ? trickle(visit.response) : send(file, visit)))
    await fetchFile({ minRate: 100_000, rateWindow: 40 })
    expect(await arrived()).toBe(true)
  })

  test('is waited for where any rate will do', async () => {
    server.now(({ response }) => {
      response.writeHead(200, { 'content-length': file.length })
      response.write(file.subarray(0, 2))
      setTimeout(() => response.write(file.subarray(2, 4)), 60)
      setTimeout(() => response.end(file.subarray(4)), 120)
    })
    await fetchFile({ minRate: 0, rateWindow: 20 })
    expect(await arrived()).toBe(true)
  })
})

describe('while another process fetches the file', () => {
  const whileLocked = async (body: () => Promise<void>, options: DownloadOptions) => {
    const taken = () => new Error('the test did not get the lock')
    let waiting: Promise<void> = Promise.resolve()
    await withLock(`${place.path}.lock`, { taken }, async () => {
      await new Promise<void>((waits) => {
        waiting = fetchFile({ ...options, onWait: () => waits() })
        waiting.catch(() => {})
      })
      await body()
    })
    await waiting
  }

  test('it is waited for, and what it fetched is shared', async () => {
    await whileLocked(() => writeFile(place.path, file), {})
    expect([await arrived(), server.requests]).toEqual([true, []])
  })

  test('and gives up, the file is fetched', async () => {
    await whileLocked(() => writeFile(`${place.path}.part`, file.subarray(0, 1000)), {})
    expect([await arrived(), server.requests]).toEqual([true, ['/file.pth from 1000']])
  })

  test('the waiting can be stopped', async () => {
    const controller = new AbortController()
    const stopped = whileLocked(async () => controller.abort(), { signal: controller.signal })
    await expect(stopped).rejects.toHaveProperty('name', 'AbortError')
  })
})

test.runIf(process.platform === 'linux')('a cache that cannot be made is one line', async () => {
  for (const spot of [
    '/proc/graft/cache/file.pth',
    join(place.folder, 'a-file', 'x', 'file.pth'),
  ]) {
    await writeFile(join(place.folder, 'a-file'), '')
    const error = await download('mine', server.url('/x'), spot, sha256).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(GraftError)
    expect((error as Error).message).toMatch(/^cannot write .*file\.pth.*: [^\n]+$/)
  }
})
