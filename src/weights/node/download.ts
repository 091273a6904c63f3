import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import type { Agent, IncomingMessage } from 'node:http'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import followRedirects from 'follow-redirects'
import { HttpProxyAgent } from 'http-proxy-agent'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { getProxyForUrl } from 'proxy-from-env'
import { GraftError, WeightsError } from '../../base/errors.ts'
import { sha256Of } from '../../base/node/sha256.ts'

export interface DownloadOptions {
  /** Called as bytes arrive; `total` is null where the server does not say. */
  readonly onProgress?: (done: number, total: number | null) => void
  /** Stops it; what has arrived stays for the next time. */
  readonly signal?: AbortSignal
  /** Milliseconds without a byte after which a connection counts as cut. Default 30,000. */
  readonly idle?: number
  /**
   * Milliseconds before the first further attempt, twice as many before each after it. Default 500.
   */
  readonly pause?: number
}

/** Attempts in a row that bring nothing, and all in all, before it gives up. */
const attempts = { fruitless: 4, all: 100 }
const defaultIdle = 30_000
/** No weights of an AlexNet are larger; a server that sends without end is not to fill the disk. */
const maxBytes = 4 * 2 ** 30

/**
 * Fetches a file into its place, which it takes in one step once its sha256 is right. What has
 * arrived lies beside it as `….part`: after a cut, and in a later call, it goes on from there (RFC
 * 9110, 14: range requests). Proxies are taken from HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
 *
 * @param name what it is, for messages
 * @param sha256 of the whole file, or its first digits
 * @throws WeightsError in one line: unreachable, refused, cut again and again, another file than
 * was wanted
 * @throws GraftError with code `write` where the disk does not take it
 * @example await download('mine', new URL('https://example.org/mine.pth'), '/home/me/.cache/mine.pth', sha256)
 */
export async function download(
  name: string,
  url: URL,
  path: string,
  sha256: string,
  options: DownloadOptions = {},
): Promise<void> {
  await onDisk(path, () => mkdir(dirname(path), { recursive: true }))
  await alone(name, path, async () => {
    const part = `${path}.part`
    const begun = await sizeOf(part)
    const { continued, page } = await fetchAll(name, url, part, options)
    let found = await sha256Of(part)
    if (!found.startsWith(sha256) && (begun > 0 || continued)) {
      // The parts may be of two files: the server's may have changed in between. Once more, in one
      // piece.
      await rm(part, { force: true })
      await fetchAll(name, url, part, options)
      found = await sha256Of(part)
    }
    if (!found.startsWith(sha256)) {
      await rm(part, { force: true })
      const what = page
        ? 'sent a web page instead of the file (is there a login or proxy in between?):'
        : 'sent another file:'
      throw new WeightsError(
        `${name}: ${url.host} ${what} its sha256 is ${found}, and ${sha256} is wanted; nothing was kept`,
      )
    }
    await onDisk(path, () => rename(part, path))
  })
}

/** An attempt that may go better another time. */
class Cut extends Error {
  /** Milliseconds that the server wants to be left alone. */
  readonly after: number

  constructor(reason: string, after = 0) {
    super(reason)
    this.after = after
  }
}

interface Fetched {
  /** Whether more than one answer went into the file. */
  readonly continued: boolean
  /** Whether the server says that it is a web page. */
  readonly page: boolean
}

/** Attempt after attempt, each from where the last one ended. */
async function fetchAll(
  name: string,
  url: URL,
  part: string,
  options: DownloadOptions,
): Promise<Fetched> {
  let fruitless = 0
  for (let attempt = 1; ; attempt++) {
    const before = await sizeOf(part)
    try {
      const page = await transfer(name, url, part, before, options)
      return { continued: attempt > 1, page }
    } catch (error) {
      if (!(error instanceof Cut)) throw error
      const size = await sizeOf(part)
      fruitless = size > before ? 1 : fruitless + 1
      if (fruitless >= attempts.fruitless || attempt >= attempts.all) {
        const hint =
          size > 0
            ? `; ${size} bytes are kept, and the next attempt goes on from there`
            : '; check the network, or name a proxy in HTTPS_PROXY'
        throw new WeightsError(
          `${name}: cannot be fetched from ${url.href} (${error.message})${hint}`,
          { cause: error },
        )
      }
      const pause = Math.max(error.after, (options.pause ?? 500) * 2 ** (fruitless - 1))
      await wait(pause, undefined, options.signal ? { signal: options.signal } : {})
    }
  }
}

/**
 * One attempt. Returns whether it was a web page; throws Cut where another attempt may bring the
 * rest.
 */
async function transfer(
  name: string,
  url: URL,
  part: string,
  from: number,
  options: DownloadOptions,
): Promise<boolean> {
  const response = await answer(url, from, options)
  const { statusCode: status = 0, headers } = response
  const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(headers['content-range'] ?? '')
  const resumes = status === 206
  if (status !== 200 && !resumes) response.destroy()
  if (status === 416) {
    if (range?.[2] === String(from)) return false
    await rm(part, { force: true })
    throw new Cut('it had fewer bytes than were there already')
  }
  if (status === 408 || status === 429 || status >= 500)
    throw new Cut(`the server answered ${status}`, retryAfter(headers['retry-after'] ?? null))
  if (status !== 200 && !resumes)
    throw new WeightsError(
      `${name}: the server answered ${status} for ${url.href}; check the address`,
    )
  if (resumes && range?.[1] !== String(from)) {
    response.destroy()
    await rm(part, { force: true })
    throw new Cut('the server sent another part than was asked for')
  }
  const length = headers['content-length']
  const total = resumes
    ? range?.[2] === '*'
      ? null
      : Number(range?.[2])
    : length === undefined
      ? null
      : Number(length)
  let done = resumes ? from : 0
  const file = await onDisk(part, () => open(part, resumes ? 'a' : 'w'))
  try {
    options.onProgress?.(done, total)
    for await (const chunk of arriving(response, options.signal)) {
      done += chunk.length
      if (done > maxBytes)
        throw new WeightsError(
          `${name}: ${url.host} sends more than ${maxBytes} bytes, which no AlexNet has; nothing was kept`,
        )
      await onDisk(part, () => file.writeFile(chunk))
      options.onProgress?.(done, total)
    }
    await onDisk(part, () => file.sync())
  } finally {
    response.destroy()
    await file.close()
    if (done > maxBytes) await rm(part, { force: true })
  }
  if (total !== null && done < total)
    throw new Cut(`the connection ended after ${done} of ${total} bytes`)
  return headers['content-type']?.startsWith('text/html') ?? false
}

/**
 * What connects to an address: through the proxy that the environment names for it, or as Node
 * does.
 */
function agentFor(href: string): Agent | undefined {
  const proxy = getProxyForUrl(href)
  if (!proxy) return undefined
  return href.startsWith('https:') ? new HttpsProxyAgent(proxy) : new HttpProxyAgent(proxy)
}

/**
 * Asks for the file, or for what is behind its first bytes; the headers of the answer, after
 * redirects.
 */
function answer(
  url: URL,
  from: number,
  { signal, idle = defaultIdle }: DownloadOptions,
): Promise<IncomingMessage> {
  const { request } = url.protocol === 'https:' ? followRedirects.https : followRedirects.http
  // The bytes as they are: a compressed transfer could not be gone on with.
  const headers = {
    'accept-encoding': 'identity',
    ...(from > 0 ? { range: `bytes=${from}-` } : {}),
  }
  return new Promise((resolve, reject) => {
    const asked = request(
      url,
      {
        headers,
        agent: agentFor(url.href),
        beforeRedirect: (next: { agent?: unknown; href?: string }) => {
          next.agent = agentFor(next.href ?? '')
        },
        ...(signal ? { signal } : {}),
      },
      (response) => {
        response.setTimeout(idle, () =>
          response.destroy(new Error(`nothing came for ${idle / 1000} s`)),
        )
        resolve(response)
      },
    )
    asked.setTimeout(idle, () => asked.destroy(new Error(`no answer for ${idle / 1000} s`)))
    asked.on('error', (cause) => reject(asCut(cause, signal)))
    asked.end()
  })
}

/** The body's chunks; a connection that breaks is a Cut. */
async function* arriving(
  response: IncomingMessage,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response) yield chunk as Uint8Array
  } catch (cause) {
    throw asCut(cause, signal)
  }
}

function asCut(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason
  const { code, message: text } = error as NodeJS.ErrnoException
  if (code === 'ECONNRESET') return new Cut('the connection was cut')
  // OpenSSL's have line breaks in them.
  const message = text.replaceAll(/\s+/g, ' ').trim()
  return new Cut(
    code && message && !message.includes(code)
      ? `${message}, ${code}`
      : message || code || 'the connection broke',
  )
}

/** Seconds or a date, as milliseconds from now; a minute at most. */
function retryAfter(value: string | null): number {
  if (value === null) return 0
  const ms = /^\d+$/.test(value) ? 1000 * Number(value) : Date.parse(value) - Date.now()
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), 60_000)
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}

/** Runs `work` while no other process fetches the same file. */
async function alone(name: string, path: string, work: () => Promise<void>): Promise<void> {
  const lock = `${path}.lock`
  for (let attempt = 0; ; attempt++) {
    try {
      await onDisk(path, () => writeFile(lock, String(process.pid), { flag: 'wx' }))
      break
    } catch (error) {
      if ((error as { cause?: NodeJS.ErrnoException }).cause?.code !== 'EEXIST') throw error
      const owner = Number(await readFile(lock, 'utf8').catch(() => ''))
      if (attempt > 0 || (owner > 0 && isAlive(owner)))
        throw new WeightsError(
          `${name}: process ${owner} is fetching it already; wait for it, or remove ${lock} if that is not so`,
        )
      await rm(lock, { force: true })
    }
  }
  try {
    await work()
  } finally {
    await rm(lock, { force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function onDisk<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const reason =
      code === 'ENOSPC' || code === 'EDQUOT' ? 'the disk is full; free some space' : message
    throw new GraftError('write', `cannot write ${path}: ${reason}`, { cause })
  }
}
