import { createHash } from 'node:crypto'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer, get } from 'node:http'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { GraftError, WeightsError } from '../../../src/base/errors.ts'
import { type DownloadOptions, download } from '../../../src/base/node/download.ts'
import { cut, FileServer, send, sendCompressed } from '../../support/fileServer.ts'
import { downloadPlace } from './downloadPlace.ts'

const place = downloadPlace(300_000)
const { file, sha256, server, fetchFile, arrived } = place
const quick: DownloadOptions = { pause: 1, idle: 2000 }
const other = file.map((byte) => byte ^ 1)
const left = async () => readdir(join(place.folder, 'cache'))

async function failure(action: Promise<unknown>): Promise<string> {
  const error = await action.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(WeightsError)
  const { message } = error as WeightsError
  expect(message).toMatch(/^mine: /)
  expect(message).not.toMatch(/\n/)
  return message
}

describe('what arrives', () => {
  test('takes its place whole, with nothing beside it, and progress is told', async () => {
    server.now((visit) => send(file, visit))
    const told: [number, number | null][] = []
    await fetchFile({ onProgress: (done, total) => told.push([done, total]) })
    expect([await arrived(), await left()]).toEqual([true, ['file.pth']])
    expect(told[0]).toEqual([0, file.length])
    expect(told.at(-1)).toEqual([file.length, file.length])
  })

  test('is checked by the first digits alone where only these are known', async () => {
    server.now((visit) => send(file, visit))
    await fetchFile({}, sha256.slice(0, 8))
    expect(await arrived()).toBe(true)
  })

  test('comes through redirects', async () => {
    server.now((visit) => {
      if (visit.request.url === '/elsewhere') send(file, visit)
      else visit.response.writeHead(302, { location: '/elsewhere' }).end()
    })
    await fetchFile()
    expect([await arrived(), server.requests]).toEqual([true, ['/file.pth', '/elsewhere']])
  })

  test('comes uncompressed, and without a length', async () => {
    server.now((visit) => sendCompressed(file, visit))
    await fetchFile()
    expect(await arrived()).toBe(true)
    await rm(place.path)
    server.now(({ response }) => {
      response.writeHead(200)
      response.write(file.subarray(0, 1000))
      response.end(file.subarray(1000))
    })
    const totals = new Set<number | null>()
    await fetchFile({ onProgress: (_, total) => totals.add(total) })
    expect([await arrived(), [...totals]]).toEqual([true, [null]])
  })

  test('comes from a server that closes the connection behind it, with a length and without', async () => {
    for (const length of [{ 'content-length': file.length }, {}]) {
      server.now(({ response }) => {
        response.shouldKeepAlive = false
        response.useChunkedEncodingByDefault = false
        response.writeHead(200, { connection: 'close', ...length }).end(file)
      })
      await fetchFile()
      expect(await arrived()).toBe(true)
      await rm(place.path)
    }
  })

  test('comes through the proxy that HTTP_PROXY names, unless NO_PROXY leaves the host out', async () => {
    const asked: string[] = []
    let tunnel = '502 Bad Gateway'
    const warned = vi.spyOn(process, 'emitWarning')
    const proxy = createServer((request, response) => {
      asked.push(request.url ?? '')
      const { pathname } = new URL(request.url ?? '')
      get(server.url(pathname), (upstream) =>
        upstream.pipe(response.writeHead(upstream.statusCode ?? 500, upstream.headers)),
      )
    })
    proxy.on('connect', (request, socket) => {
      asked.push(request.url ?? '')
      socket.end(`HTTP/1.1 ${tunnel}\r\ncontent-length: 0\r\n\r\n`)
    })
    await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done))
    const address = proxy.address()
    process.env.http_proxy = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
    try {
      server.now((visit) => send(file, visit))
      await download('mine', new URL(`http://weights.invalid/file.pth`), place.path, sha256, quick)
      expect([await arrived(), asked]).toEqual([true, ['http://weights.invalid/file.pth']])
      asked.length = 0
      process.env.https_proxy = process.env.http_proxy
      const secure = new URL('https://weights.invalid/file.pth')
      expect(await failure(download('mine', secure, place.path, sha256, quick))).toMatch(
        /the proxy answered 502/,
      )
      expect(new Set(asked)).toEqual(new Set(['weights.invalid:443']))
      asked.length = 0
      tunnel = '407 Proxy Authentication Required'
      expect(await failure(download('mine', secure, place.path, sha256, quick))).toMatch(
        /the proxy answered 407 for https/,
      )
      expect(asked).toEqual(['weights.invalid:443'])
      expect(warned).not.toHaveBeenCalled()
      await rm(place.path)
      asked.length = 0
      process.env.no_proxy = '127.0.0.1'
      await fetchFile()
      expect([await arrived(), asked]).toEqual([true, []])
    } finally {
      warned.mockRestore()
      delete process.env.http_proxy
      delete process.env.https_proxy
      delete process.env.no_proxy
      proxy.closeAllConnections()
      await new Promise((done) => proxy.close(done))
    }
  })
})

describe('a transfer that breaks', () => {
  test('goes on where it was cut, as often as it takes', async () => {
    server.now((visit) => (visit.from < 200_000 ? cut(file, visit, 40_000) : send(file, visit)))
    await fetchFile()
    expect(await arrived()).toBe(true)
    expect(server.requests).toContain('/file.pth from 40000')
    expect(server.requests).toContain('/file.pth from 80000')
  })

  test('starts afresh where the server knows no ranges', async () => {
    server.now((visit) =>
      visit.number === 1 ? cut(file, visit, 40_000) : send(file, { ...visit, from: 0 }),
    )
    await fetchFile()
    expect([await arrived(), server.requests]).toEqual([
      true,
      ['/file.pth', '/file.pth from 40000'],
    ])
  })

  test('keeps what it has when it gives up, and a later call goes on from there', async () => {
    server.now((visit) =>
      visit.number === 1 ? cut(file, visit, 50_000) : visit.response.destroy(),
    )
    expect(await failure(fetchFile())).toMatch(
      /cannot be fetched from http.*; 50000 bytes are kept, and the next attempt goes on from there/,
    )
    expect(await left()).toEqual(['file.pth.part'])
    server.now((visit) => send(file, visit))
    await fetchFile()
    expect([await arrived(), server.requests, await left()]).toEqual([
      true,
      ['/file.pth from 50000'],
      ['file.pth'],
    ])
  })

  test('is one that falls silent, too', async () => {
    server.now((visit) => {
      if (visit.number > 1) return send(file, visit)
      visit.response.writeHead(200, { 'content-length': file.length })
      visit.response.write(file.subarray(0, 10_000))
    })
    await fetchFile({ idle: 300 })
    expect(await arrived()).toBe(true)
  })

  test('waits where the server says it is busy, and as long as it says', async () => {
    const times: number[] = []
    server.now((visit) => {
      times.push(performance.now())
      if (visit.number === 1) visit.response.writeHead(429, { 'retry-after': '1' }).end()
      else if (visit.number === 2) visit.response.writeHead(503).end()
      else send(file, visit)
    })
    await fetchFile()
    expect(await arrived()).toBe(true)
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(990)
  })

  test('by a server that announces more than it has is told with both numbers', async () => {
    server.now(({ response }) => {
      response.writeHead(200, { 'content-length': file.length + 5 })
      response.write(file, () => response.socket?.end())
    })
    expect(await failure(fetchFile())).toMatch(/cannot be fetched/)
  })

  test('stops when it is asked to, and keeps what it has', async () => {
    const controller = new AbortController()
    server.now(({ response }) => {
      response.writeHead(200, { 'content-length': file.length })
      response.write(file.subarray(0, 20_000))
    })
    const stopped = fetchFile({
      signal: controller.signal,
      onProgress: (done) => done > 0 && controller.abort(),
    })
    await expect(stopped).rejects.toHaveProperty('name', 'AbortError')
    expect(await left()).toEqual(['file.pth.part'])
  })
})

describe('what is not the file', () => {
  test('is refused with both sums, and nothing is kept', async () => {
    server.now((visit) => send(other, visit))
    const found = createHash('sha256').update(other).digest('hex')
    expect(await failure(fetchFile())).toBe(
      `mine: ${server.host} sent another file: its sha256 is ${found}, and ${sha256} is wanted; nothing was kept`,
    )
    expect([await left(), server.requests.length]).toEqual([[], 1])
  })

  test('because the server announced too few bytes, likewise', async () => {
    server.now(({ response }) => {
      response.writeHead(200, { 'content-length': 1000 })
      response.end(file.subarray(0, 1000))
    })
    expect(await failure(fetchFile())).toMatch(/sent another file/)
    expect(await left()).toEqual([])
  })

  test('but a web page is called that', async () => {
    server.now(({ response }) =>
      response
        .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
        .end('<h1>Log in</h1>'),
    )
    expect(await failure(fetchFile())).toMatch(
      /sent a web page instead of the file \(is there a login or proxy in between\?\)/,
    )
  })

  test('but the beginning of an earlier one is fetched again in one piece', async () => {
    await mkdir(join(place.folder, 'cache'))
    await writeFile(`${place.path}.part`, other.subarray(0, 70_000))
    server.now((visit) => send(file, visit))
    await fetchFile()
    expect([await arrived(), server.requests]).toEqual([
      true,
      ['/file.pth from 70000', '/file.pth'],
    ])
  })

  test('but longer than the one on the server is fetched again', async () => {
    await mkdir(join(place.folder, 'cache'))
    await writeFile(`${place.path}.part`, Buffer.concat([file, file]))
    server.now((visit) => {
      if (visit.from >= file.length)
        visit.response.writeHead(416, { 'content-range': `bytes */${file.length}` }).end()
      else send(file, visit)
    })
    await fetchFile()
    expect([await arrived(), server.requests.length]).toEqual([true, 2])
  })

  test('a part that is whole already is only checked', async () => {
    await mkdir(join(place.folder, 'cache'))
    await writeFile(`${place.path}.part`, file)
    server.now((visit) =>
      visit.response.writeHead(416, { 'content-range': `bytes */${file.length}` }).end(),
    )
    await fetchFile()
    expect([await arrived(), await left()]).toEqual([true, ['file.pth']])
  })

  test('another part than was asked for is not put behind the first', async () => {
    server.now((visit) => {
      if (visit.number === 1) return cut(file, visit, 40_000)
      if (visit.number > 2) return send(file, visit)
      visit.response
        .writeHead(206, { 'content-range': `bytes 0-${file.length - 1}/${file.length}` })
        .end(file)
    })
    await fetchFile()
    expect(await arrived()).toBe(true)
  })
})

describe('what cannot be fetched', () => {
  test.each([403, 404, 410])('because the server answers %i is asked for once', async (status) => {
    server.now(({ response }) => response.writeHead(status).end('no'))
    expect(await failure(fetchFile())).toMatch(new RegExp(`the server answered ${status} for http`))
    expect(server.requests.length).toBe(1)
  })

  test('because nobody listens', async () => {
    const gone = new FileServer()
    await gone.listen()
    const url = gone.url('/x')
    await gone.close()
    expect(await failure(download('mine', url, place.path, sha256, quick))).toMatch(
      /cannot be fetched from http.*ECONNREFUSED/,
    )
  })

  test('because the server speaks no TLS', async () => {
    server.now((visit) => send(file, visit))
    const secure = new URL(`https://${server.host}/file.pth`)
    expect(await failure(download('mine', secure, place.path, sha256, quick))).toMatch(
      /cannot be fetched from https.*SSL/,
    )
  })

  test('because of redirects in a circle', async () => {
    server.now(({ response }) => response.writeHead(302, { location: '/file.pth' }).end())
    expect(await failure(fetchFile())).toMatch(/[Mm]aximum number of redirects exceeded/)
  })

  test('because the folder cannot be made', async () => {
    await writeFile(join(place.folder, 'cache'), 'a file')
    await expect(fetchFile()).rejects.toThrow(GraftError)
    await expect(fetchFile()).rejects.toThrow(/^cannot write .*file\.pth: /)
  })
})
