import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'

/** What one request meets: its number from 1 on, the first byte it asks for, and its answer. */
export interface Visit {
  readonly number: number
  readonly from: number
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** A server on 127.0.0.1 that treats requests for files as it is told, and remembers them. */
export class FileServer {
  readonly #server = createServer((request, response) => this.#serve(request, response))
  #handle: (visit: Visit) => void = () => {}
  /** What was asked for, with the range if there was one. */
  requests: string[] = []

  async listen(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done))
  }

  /** Forgets earlier requests and treats those to come by `handle`. */
  now(handle: (visit: Visit) => void): void {
    this.requests = []
    this.#handle = handle
  }

  get host(): string {
    const address = this.#server.address()
    return `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  }

  url(path: string): URL {
    return new URL(path, `http://${this.host}`)
  }

  close(): Promise<unknown> {
    this.#server.closeAllConnections()
    return new Promise((done) => this.#server.close(done))
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')
    this.requests.push(range ? `${request.url} from ${range[1]}` : `${request.url}`)
    this.#handle({ number: this.requests.length, from: Number(range?.[1] ?? 0), request, response })
  }
}

/** Answers as a good server: the file, or the rest of it. */
export function send(
  bytes: Uint8Array,
  { from, response }: Visit,
  headers: Readonly<Record<string, string>> = {},
): void {
  const range =
    from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}
  response.writeHead(from > 0 ? 206 : 200, {
    'content-length': bytes.length - from,
    ...range,
    ...headers,
  })
  response.end(bytes.subarray(from))
}

/**
 * Sends so many bytes of what it announced, and ends the connection once the client has had time to
 * take them.
 */
export function cut(bytes: Uint8Array, visit: Visit, length: number): void {
  const { from, response } = visit
  const range =
    from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': bytes.length - from, ...range })
  response.write(bytes.subarray(from, from + length), () =>
    setTimeout(() => response.socket?.end(), 100),
  )
}

/** Compresses, if the client takes that. */
export function sendCompressed(bytes: Uint8Array, visit: Visit): void {
  if (!visit.request.headers['accept-encoding']?.includes('gzip')) send(bytes, visit)
  else visit.response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(bytes))
}
