import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { writeSync } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { at } from '../../base/at.ts'
import { GraftError } from '../../base/errors.ts'
import { cacheFolder } from '../../base/node/cacheFolder.ts'
import { makeFolder } from '../../base/node/folder.ts'
import { readRange } from '../../base/node/inputFile.ts'
import type { RgbImage } from '../host.ts'
import { maxPixels } from '../imageFormat.ts'

/** It is plain JavaScript; src/ lies beside dist/ in the package. */
const program = new URL('../../../src/host/node/decodeChild.js', import.meta.url)
/** libuv's threads in the process that decodes, and so the images that it decodes at a time. */
const threads = Math.min(Number(process.env.UV_THREADPOOL_SIZE) || 4, 64)
/**
 * Milliseconds that an image may take: the largest takes seconds, and a loaded machine many times
 * as long.
 */
const timeLimit = 120_000
/** A file for pixels that has grown beyond this many bytes is emptied after use. */
const keptBytes = 64 * 2 ** 20

/** Why the decoder gave no pixels, in its own words. */
export class DecoderError extends Error {}

/** The decoder hung, or its process ended: said of an image that was decoded alone. */
export class DecoderDied extends DecoderError {}

interface Job {
  readonly bytes: Uint8Array
  readonly resolve: (image: RgbImage) => void
  readonly reject: (cause: Error) => void
  /** Whether it was running when a process ended: it is tried once more, without others beside. */
  alone: boolean
  /** Ends the process if the image takes too long. */
  timer?: NodeJS.Timeout
  timedOut: boolean
}

type Answer = { readonly slot: number } & (
  | { readonly width: number; readonly height: number }
  | { readonly reason: string }
)

/**
 * Decodes images in a process of their own, several at a time. Encoded bytes and pixels go through
 * files without a name, one for each image that is being decoded: copying them costs little beside
 * decoding, and far less than sending them through a pipe. A process that ends, or that is ended
 * because an image takes too long, is replaced; the images that it was decoding are tried again one
 * at a time, so that only the one to blame fails.
 */
export class DecodePool {
  readonly #program: URL
  readonly #timeLimit: number
  readonly #slots: number[]
  readonly #waiting: Job[] = []
  readonly #running = new Map<number, Job>()
  #files: Promise<FileHandle[]> | null = null
  #child: ChildProcess | null = null
  #starting: Promise<void> | null = null

  /** The arguments are for tests. */
  constructor(options: { readonly program?: URL; readonly timeLimit?: number } = {}) {
    this.#program = options.program ?? program
    this.#timeLimit = options.timeLimit ?? timeLimit
    this.#slots = Array.from({ length: threads }, (_, slot) => slot)
  }

  /**
   * Decodes an image.
   * @param bytes encoded as JPEG, PNG or WebP
   * @throws DecoderError with the decoder's reason
   * @throws GraftError with code `decoder` if sharp cannot be loaded or there is no room for files
   */
  decode(bytes: Uint8Array): Promise<RgbImage> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bytes, resolve, reject, alone: false, timedOut: false })
      void this.#fill()
    })
  }

  /** The process that decodes, while there is one. */
  get processId(): number | undefined {
    return this.#child?.pid
  }

  async #fill(): Promise<void> {
    try {
      this.#starting ??= this.#start()
      await this.#starting
    } catch (cause) {
      this.#starting = null
      for (const job of this.#waiting.splice(0)) job.reject(cause as Error)
      return
    }
    const files = await (this.#files ?? [])
    while (this.#child?.connected) {
      const [job] = this.#waiting
      const others = [...this.#running.values()]
      if (!job || others.some(({ alone }) => alone) || (job.alone && others.length > 0)) return
      const slot = this.#slots.pop()
      if (slot === undefined) return
      this.#waiting.shift()
      this.#begin(this.#child, slot, at(files, slot), job)
    }
  }

  #begin(child: ChildProcess, slot: number, file: FileHandle, job: Job): void {
    const { bytes } = job
    this.#running.set(slot, job)
    this.#hold(child)
    job.timer = setTimeout(() => {
      job.timedOut = true
      child.kill('SIGKILL')
    }, this.#timeLimit)
    try {
      for (let done = 0; done < bytes.length; )
        done += writeSync(file.fd, bytes, done, bytes.length - done, done)
    } catch (cause) {
      this.#finish(slot, () => job.reject(noRoom(cause)))
      return
    }
    // If the process is gone, its end is reported, and the image is tried again.
    child.send({ slot, length: bytes.length }, () => {})
  }

  async #take(answer: Answer): Promise<void> {
    const job = this.#running.get(answer.slot)
    if (!job) return
    clearTimeout(job.timer)
    if ('reason' in answer) {
      this.#finish(answer.slot, () => job.reject(new DecoderError(answer.reason)))
      return
    }
    // From here on it does not matter whether the process ends.
    this.#running.delete(answer.slot)
    const { width, height } = answer
    try {
      const file = at(await (this.#files ?? []), answer.slot)
      const data = await readRange('', file, 0, 3 * width * height)
      if (data.length > keptBytes) await file.truncate(0)
      job.resolve({ data: new Uint8Array(data.buffer), width, height })
    } catch (cause) {
      job.reject(noRoom(cause))
    }
    this.#finish(answer.slot, () => {})
  }

  /** Frees an image's file for the next one. */
  #finish(slot: number, settle: () => void): void {
    clearTimeout(this.#running.get(slot)?.timer)
    this.#running.delete(slot)
    this.#slots.push(slot)
    if (this.#child) this.#hold(this.#child)
    settle()
    void this.#fill()
  }

  /** Keeps this process alive while images are being decoded, and no longer. */
  #hold(child: ChildProcess): void {
    if (this.#running.size > 0) {
      child.ref()
      child.channel?.ref()
    } else {
      child.unref()
      child.channel?.unref()
    }
  }

  async #start(): Promise<void> {
    this.#files ??= Promise.all(this.#slots.map(unnamedFile))
    const files = await this.#files.catch((cause: unknown) => {
      this.#files = null
      throw cause
    })
    const { NODE_OPTIONS: _, ...env } = process.env
    const child = fork(this.#program, [String(maxPixels)], {
      execArgv: ['--expose-gc'],
      env: { ...env, UV_THREADPOOL_SIZE: String(threads) },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc', ...files.map(({ fd }) => fd)],
    })
    await new Promise<void>((resolve, reject) => {
      const failed = (reason: string) => reject(unavailable(reason))
      child.once('error', ({ message }) => failed(message))
      child.once('exit', () => failed('its process ended at once'))
      child.once('message', (message: { readonly unavailable?: string }) =>
        message.unavailable === undefined ? resolve() : failed(message.unavailable),
      )
    }).catch((cause: unknown) => {
      child.kill('SIGKILL')
      throw cause
    })
    this.#child = child
    this.#hold(child)
    child.on('message', (answer: Answer) => void this.#take(answer))
    child.on('error', () => child.kill('SIGKILL'))
    child.once('exit', (code, signal) => this.#ended(child, signal ?? `exit code ${String(code)}`))
  }

  /** The process has ended: what it was decoding is tried again, unless it was to blame. */
  #ended(child: ChildProcess, how: string): void {
    if (this.#child !== child) return
    this.#child = null
    this.#starting = null
    for (const [slot, job] of [...this.#running].reverse()) {
      clearTimeout(job.timer)
      this.#running.delete(slot)
      this.#slots.push(slot)
      if (job.alone) {
        const seconds = this.#timeLimit / 1000
        const reason = job.timedOut ? `it took more than ${seconds} s` : `its process ended: ${how}`
        job.reject(new DecoderDied(reason))
      } else this.#waiting.unshift({ ...job, alone: true, timedOut: false })
    }
    if (this.#waiting.length > 0) void this.#fill()
  }
}

function unavailable(reason: string): GraftError {
  return new GraftError(
    'decoder',
    `cannot load sharp, which decodes the images (${reason.replace(/\n.*/s, '')}): ` +
      'run npm install sharp',
  )
}

function noRoom(cause: unknown): GraftError {
  const { message } = cause as Error
  return new GraftError(
    'decoder',
    `cannot pass images on to the decoder (${message}): free some space in ${tmpdir()}, ` +
      'or name another folder in TMPDIR',
    { cause },
  )
}

/** A file that has no name any more, and so is gone when nobody has it open. */
async function unnamedFile(): Promise<FileHandle> {
  let reason: unknown
  for (const folder of [tmpdir(), cacheFolder()]) {
    const path = join(folder, `.graft-${randomUUID()}.tmp`)
    try {
      await makeFolder(folder)
      const file = await open(path, 'wx+', 0o600)
      await rm(path, { force: true })
      return file
    } catch (cause) {
      reason ??= cause
    }
  }
  throw noRoom(reason)
}
