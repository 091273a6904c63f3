import { constants } from 'node:fs'
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type Dispatcher, request } from 'undici'
import { type GraftError, WeightsError } from '../errors.ts'
import { cannotWrite } from './atomicFile.ts'
import { connect } from './connections.ts'
import { makeFolder } from './folder.ts'
import { waitingForLock } from './lock.ts'
import { sha256Of } from './sha256.ts'

export interface DownloadOptions {
  /** Called as bytes arrive; `total` is null if the server does not tell it. */
  readonly onProgress?: (done: number, total: number | null) => void
  /** Stops the download; what has arrived is kept for the next call. */
  readonly signal?: AbortSignal
  /** Milliseconds without a byte after which a connection counts as broken. Default 30,000. */
  readonly idle?: number
  /**
   * Bytes a second, averaged over `rateWindow`, below which a connection counts as broken. 0: any
   * rate will do. Default 256, a tenth of what a modem of 1996 gave.
   */
  readonly minRate?: number
  /** Milliseconds over which the rate is averaged. Default 60,000. */
  readonly rateWindow?: number
  /** Called once if another process is fetching the file, which is then waited for and shared. */
  readonly onWait?: (holder: string) => void
  /** Milliseconds before the first retry; doubled for each one after it. Default 500. */
  readonly pause?: number
  /** The error for a file that cannot be had. Default WeightsError. */
  readonly Failure?: Failure
  /** The size that the file has to have, where it is known. */
  readonly bytes?: number
}

/** A kind of error. */
type Failure = new (message: string, options?: ErrorOptions) => GraftError

/** It gives up after this many attempts in a row without progress, or in total. */
const maxAttempts = { withoutProgress: 4, total: 100 }
/** The limit keeps an endless answer from filling the disk. */
const maxBytes = 4 * 2 ** 30
const defaultIdle = 30_000
const defaultMinRate = 256
const defaultRateWindow = 60_000

/** The part file is created where it is missing; a link is not followed (Windows has no flag). */
const writeFlags = constants.O_WRONLY | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0)

/** One file to fetch. */
interface Job {
  /** What it is, for messages. */
  readonly name: string
  readonly url: URL
  /** The file that the bytes are appended to. */
  readonly part: string
  readonly dispatcher: Dispatcher
  readonly options: DownloadOptions
  readonly Failure: Failure
}

/**
 * Fetches a file, checks its sha256 and then renames it to its place. Until then the bytes are in
 * `….part` beside it: after a broken connection, and in a later call, the transfer continues from
 * there (range requests, RFC 9110, section 14). Retrying is done here and not by undici's
 * RetryAgent, which does not know that file and gives up after a fixed number of attempts even if
 * each one brings bytes. Proxies are read from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.
 *
 * @param name what it is, for messages
 * @param sha256 of the whole file, or its first digits, as many as are known
 * @throws `Failure` in one line: unreachable, refused, broken off too often, not the wanted file
 * @throws GraftError with code `write` if the file cannot be written
 * @example await download('mine', new URL('https://example.org/mine.pth'), 'mine.pth', sha256)
 */
export async function download(
  name: string,
  url: URL,
  path: string,
  sha256: string,
  options: DownloadOptions = {},
): Promise<void> {
  const { Failure = WeightsError } = options
  if (url.username || url.password)
    throw new Failure(
      `${name}: its address holds a user name or a password, which would be shown; ` +
        'fetch the file yourself and give its path',
    )
  await writing(path, () => makeFolder(dirname(path)))
  const part = `${path}.part`
  await waitingForLock(`${path}.lock`, options, async (waited) => {
    if (waited && (await isWanted(path, sha256, options.bytes))) return
    await removeUnlessOwn(part)
    const { dispatcher, close } = connect(options.idle ?? defaultIdle)
    try {
      const job = { name, url, part, dispatcher, options, Failure }
      await fetchVerified(job, sha256)
      await writing(path, () => rename(part, path))
    } finally {
      await close()
    }
  })
}

/** Whether the file is there and is the wanted one. */
async function isWanted(path: string, sha256: string, bytes?: number): Promise<boolean> {
  return (await misfit(path, sha256, bytes).catch(() => '')) === null
}

/** What shows that a file is another one than the wanted one, or null. */
async function misfit(path: string, sha256: string, bytes?: number): Promise<string | null> {
  const size = await sizeOf(path)
  if (bytes !== undefined && size !== bytes) return `it has ${size} bytes, and ${bytes} are wanted`
  const found = await sha256Of(path)
  return found.startsWith(sha256) ? null : `its sha256 is ${found}, and ${sha256} is wanted`
}

/** Removes a part file that is a link, or has another name too: what is written would go there. */
async function removeUnlessOwn(part: string): Promise<void> {
  const found = await lstat(part).catch(() => null)
  if (found && (!found.isFile() || found.nlink > 1)) await writing(part, () => rm(part))
}

/** Fetches the part file completely, and once more in one piece if its pieces do not match. */
async function fetchVerified(job: Job, sha256: string): Promise<void> {
  const { name, url, part, options, Failure } = job
  const begun = await sizeOf(part)
  const { continued, webPage } = await fetchAll(job)
  let problem = await misfit(part, sha256, options.bytes)
  if (problem !== null && (begun > 0 || continued)) {
    // The pieces may belong to two files, if the server's file has changed in between.
    await rm(part, { force: true })
    await fetchAll(job)
    problem = await misfit(part, sha256, options.bytes)
  }
  if (problem === null) return
  await rm(part, { force: true })
  const what = webPage
    ? 'sent a web page instead of the file (is there a login or proxy in between?):'
    : 'sent another file:'
  throw new Failure(`${name}: ${url.host} ${what} ${problem}; nothing was kept`)
}

/** A failed attempt; the next one may succeed. */
class Interrupted extends Error {
  /** Milliseconds that the server asks to wait. */
  readonly after: number

  constructor(reason: string, after = 0) {
    super(reason)
    this.after = after
  }
}

/** A connection that brings too little; what it brought is kept, but is no progress. */
class TooSlow extends Interrupted {}

/** Makes attempts, each from where the last one ended, until the file is complete. */
async function fetchAll(job: Job): Promise<{ continued: boolean; webPage: boolean }> {
  const { name, url, part, options, Failure } = job
  let withoutProgress = 0
  for (let attempt = 1; ; attempt++) {
    const before = await sizeOf(part)
    try {
      const webPage = await transfer(job, before)
      return { continued: attempt > 1, webPage }
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error
      const size = await sizeOf(part)
      const progress = size > before && !(error instanceof TooSlow)
      withoutProgress = progress ? 1 : withoutProgress + 1
      if (withoutProgress >= maxAttempts.withoutProgress || attempt >= maxAttempts.total) {
        const hint =
          size > 0
            ? `${size} bytes are kept, and the next attempt goes on from there`
            : 'check the network, or name a proxy in HTTPS_PROXY'
        throw new Failure(
          `${name}: cannot be fetched from ${url.href} (${error.message}); ${hint}`,
          { cause: error },
        )
      }
      const pause = Math.max(error.after, (options.pause ?? 500) * 2 ** (withoutProgress - 1))
      await wait(pause, undefined, options.signal ? { signal: options.signal } : {})
    }
  }
}

/**
 * One attempt, from byte `from` on. Returns whether the server sent a web page.
 * @throws Interrupted if another attempt may bring the rest
 */
async function transfer(job: Job, from: number): Promise<boolean> {
  const { name, url, part, Failure } = job
  const { statusCode: status, headers, body } = await ask(job, from)
  try {
    const header = (key: string) => String(headers[key] ?? '')
    const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(header('content-range'))
    if (status === 416) {
      if (range?.[2] === String(from)) return false // the part file is complete
      await rm(part, { force: true })
      throw new Interrupted('the file on the server is shorter than what was fetched before')
    }
    if (status === 408 || status === 429 || status >= 500)
      throw new Interrupted(`the server answered ${status}`, retryAfter(header('retry-after')))
    if (status >= 300 && status < 400 && header('location'))
      throw new Failure(
        `${name}: cannot be fetched from ${url.href} (maximum number of redirects exceeded)`,
      )
    if (status !== 200 && status !== 206)
      throw new Failure(`${name}: the server answered ${status} for ${url.href}; check the address`)
    const resumes = status === 206
    if (resumes && range?.[1] !== String(from)) {
      await rm(part, { force: true })
      throw new Interrupted('the server sent another range than the requested one')
    }
    const length = resumes ? (range?.[2] ?? '*') : header('content-length')
    const total = /^\d+$/.test(length) ? Number(length) : null
    const how = resumes ? constants.O_APPEND : constants.O_TRUNC
    const file = await writing(part, () => open(part, writeFlags | how))
    const done = await receive(job, body, file, resumes ? from : 0, total)
    if (total !== null && done < total)
      throw new Interrupted(`the connection ended after ${done} of ${total} bytes`)
    return header('content-type').startsWith('text/html')
  } finally {
    body.destroy()
  }
}

/**
 * Appends the body to the file.
 * @returns the size of the file afterwards
 */
async function receive(
  job: Job,
  body: AsyncIterable<Uint8Array>,
  file: FileHandle,
  from: number,
  total: number | null,
): Promise<number> {
  const { name, url, part, options, Failure } = job
  let done = from
  const isTooSlow = rateWatch(options)
  try {
    options.onProgress?.(done, total)
    for await (const chunk of withClearErrors(body, job)) {
      done += chunk.length
      if (done > maxBytes)
        throw new Failure(
          `${name}: ${url.host} sends more than ${maxBytes} bytes, the most that is fetched; ` +
            'nothing was kept',
        )
      await writing(part, () => file.writeFile(chunk))
      options.onProgress?.(done, total)
      const slow = done !== total && isTooSlow(chunk.length)
      if (slow) throw new TooSlow(slow)
    }
    await writing(part, () => file.sync())
  } finally {
    await file.close()
    if (done > maxBytes) await rm(part, { force: true })
  }
  return done
}

/** Returns a function that counts bytes as they arrive, and says when they are too few. */
function rateWatch({
  minRate = defaultMinRate,
  rateWindow = defaultRateWindow,
}: DownloadOptions): (bytes: number) => string | null {
  let [since, count] = [performance.now(), 0]
  return (bytes) => {
    count += bytes
    const elapsed = performance.now() - since
    if (elapsed < rateWindow) return null
    const rate = (1000 * count) / elapsed
    ;[since, count] = [performance.now(), 0]
    return rate < minRate
      ? `only ${rate.toFixed(rate < 10 ? 1 : 0)} bytes a second, and ${minRate} are the least`
      : null
  }
}

/** The chunks of an answer; a broken connection is an `Interrupted`. */
async function* withClearErrors(
  body: AsyncIterable<Uint8Array>,
  job: Job,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (cause) {
    throw failureOf(cause, job)
  }
}

/** Requests the file, or what follows its first bytes; the answer after redirects. */
async function ask(job: Job, from: number): Promise<Dispatcher.ResponseData> {
  const { url, dispatcher, options } = job
  // Ranges count bytes of the file itself, so it must not be compressed.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' }
  if (from > 0) headers.range = `bytes=${from}-`
  const { signal } = options
  try {
    const response = await request(url, { dispatcher, headers, ...(signal ? { signal } : {}) })
    response.body.on('error', () => {}) // also emitted when the body is not read
    return response
  } catch (cause) {
    throw failureOf(cause, job)
  }
}

/** The error for a failed connection: an `Interrupted` with the reason in plain words, mostly. */
function failureOf(error: unknown, { name, url, options, Failure }: Job): unknown {
  const { signal, idle = defaultIdle } = options
  if (signal?.aborted) return signal.reason
  const { code = '', message: text } = error as NodeJS.ErrnoException
  if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET')
    return new Interrupted('the connection was cut')
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_CONNECT_TIMEOUT')
    return new Interrupted(`no answer for ${idle / 1000} s`)
  if (code === 'UND_ERR_BODY_TIMEOUT') return new Interrupted(`no bytes for ${idle / 1000} s`)
  const status = /^Proxy .*\((\d+)\)/.exec(text)?.[1]
  if (status?.startsWith('4'))
    return new Failure(
      `${name}: the proxy answered ${status} for ${url.href}; check HTTP_PROXY and HTTPS_PROXY`,
    )
  if (status) return new Interrupted(`the proxy answered ${status}`)
  const message = text.replaceAll(/\s+/g, ' ').trim() // OpenSSL's messages have line breaks
  return new Interrupted([message, message.includes(code) ? '' : code].filter(Boolean).join(', '))
}

/** The seconds or the date of a retry-after header as milliseconds from now, at most a minute. */
function retryAfter(value: string): number {
  const ms = /^\d+$/.test(value) ? 1000 * Number(value) : Date.parse(value) - Date.now()
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), 60_000)
}

async function sizeOf(path: string): Promise<number> {
  return lstat(path).then(
    ({ size }) => size,
    () => 0,
  )
}

/** Runs work that writes to the disk; its errors name the file and the reason. */
async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  return work().catch((cause: unknown) => {
    throw cannotWrite(path, cause)
  })
}
