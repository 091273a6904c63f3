import { randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { UsageError } from '../../base/errors.ts'

/** The answer to a request. */
export interface Answer {
  /** The content's media type. */
  readonly type: string
  readonly body: string | Uint8Array
  /** What a page may load and run, as directives of a Content-Security-Policy; else nothing. */
  readonly policy?: string
}

/** Gives the content of a path, which begins with a slash and is decoded; null for 404. */
export type Answers = (path: string) => Promise<Answer | null>

/** A server, until it is closed. */
export interface LocalServer {
  /**
   * Begins with localhost, a secure context, which WebGPU wants, and ends with a secret: who does
   * not know it gets no content.
   */
  readonly url: string
  /** Ends it, open connections too. */
  close(): void
}

/** Sent with every answer, so that pages of other origins can neither frame nor read it. */
const headers = {
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(self), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}
const nothing = "default-src 'none'"
const closed = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/**
 * A server for the person at this machine. It listens on the loopback addresses, answers to its own
 * name alone (a page whose name was rebound to this machine has another one), only reads, and wants
 * a secret in the path, which other users of the machine do not know. The secret is in the path and
 * not in a cookie, because a browser sends the cookies of localhost to every port.
 * @param prepare makes what is served, once the port is known to be free
 * @param port 0 for any that is free
 * @throws UsageError when the port is taken, or reserved
 */
export async function serveLocally(
  prepare: () => Promise<Answers>,
  port: number,
): Promise<LocalServer> {
  let answer: Answers = async () => null
  const secret = randomBytes(16).toString('base64url')
  const names = new Set<string>()
  const respond: RequestListener = (request, response) => {
    const send = (status: number, { type, body, policy = nothing }: Answer, more: object = {}) =>
      response
        .writeHead(status, {
          ...headers,
          'content-security-policy': `${policy}; ${closed}`,
          'content-type': type,
          'content-length': Buffer.byteLength(body),
          ...more,
        })
        .end(body)
    const refuse = (status: number, text: string, more: object = {}) =>
      send(status, { type: 'text/plain', body: `${text}\n` }, { connection: 'close', ...more })

    if (!isForUs(request, names)) return refuse(403, 'this server answers to its own name only')
    if (isForeign(request)) return refuse(403, 'this server answers to its own pages only')
    const path = pathOf(request.url ?? '')
    if (path === null) return refuse(400, 'this is no path')
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return refuse(405, 'this server only reads', { allow: 'GET, HEAD' })
    const [, first = '', rest = ''] = /^\/([^/]*)(.*)$/s.exec(path) ?? []
    if (!isSame(first, secret))
      return refuse(404, 'open the whole address that was printed: its end is a secret')
    if (rest === '') return refuse(308, 'the address ends with a slash', { location: `${path}/` })
    answer(rest).then(
      (found) => (found ? send(200, found) : refuse(404, 'there is nothing at this address')),
      () => refuse(500, 'this could not be read'),
    )
  }
  const servers = await listen(respond, port).catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`cannot serve on port ${port}: ${reasonFor(cause)}`, { cause })
  })
  const open = portOf(servers)
  for (const name of ['localhost', '127.0.0.1', '[::1]'])
    names.add(open === 80 ? name : `${name}:${open}`) // 80 is left out where HTTP names a host
  const close = () => {
    for (const server of servers) {
      server.closeAllConnections()
      server.close()
    }
  }
  try {
    answer = await prepare()
  } catch (error) {
    close()
    throw error
  }
  return { url: `http://localhost:${open}/${secret}/`, close }
}

/** Whether a request names this server, once. */
function isForUs({ headersDistinct }: IncomingMessage, names: ReadonlySet<string>): boolean {
  const [host, ...others] = headersDistinct.host ?? []
  return host !== undefined && others.length === 0 && names.has(host.toLowerCase())
}

/**
 * Whether a page of another origin made the request; that it was opened from a link is no harm.
 * Browsers say so in these headers, which no page can set.
 */
function isForeign({ headers }: IncomingMessage): boolean {
  if (headers.origin !== undefined && headers.origin !== `http://${headers.host}`) return true
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return false
  return headers['sec-fetch-mode'] !== 'navigate' || headers['sec-fetch-dest'] !== 'document'
}

/** The path of a request, decoded and without its query; null where the target is anything else. */
function pathOf(target: string): string | null {
  if (!/^\/(?!\/)/.test(target)) return null
  try {
    return decodeURIComponent(target.replace(/[?#].*$/s, ''))
  } catch {
    return null
  }
}

/** Compares in the same time wherever the two differ. */
function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/**
 * Listens on 127.0.0.1, and on ::1 where the machine has it: browsers try it first for localhost,
 * and a program of somebody else would get the secret there.
 */
async function listen(respond: RequestListener, port: number): Promise<readonly Server[]> {
  for (let tries = 1; ; tries++) {
    const server = await bind(respond, port, '127.0.0.1')
    try {
      return [server, await bind(respond, portOf([server]), '::1')]
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') return [server]
      server.close()
      if (port !== 0 || tries === 10) throw error
    }
  }
}

function bind(respond: RequestListener, port: number, address: string): Promise<Server> {
  const server = createServer(respond)
  return new Promise((resolve, reject) =>
    server.once('error', reject).listen(port, address, () => resolve(server)),
  )
}

function portOf([server]: readonly Server[]): number {
  const address = server?.address()
  if (typeof address !== 'object' || !address) throw new TypeError('the server has no port')
  return address.port
}

function reasonFor({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE')
    return 'another program uses it; choose another port, or 0 for one that is free'
  if (code === 'EACCES') return 'it is reserved; choose one above 1023, or 0 for one that is free'
  return message
}
