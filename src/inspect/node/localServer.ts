import { createServer } from 'node:http'
import { UsageError } from '../../base/errors.ts'

/** The answer to a request. */
export interface Answer {
  /** The content's media type. */
  readonly type: string
  readonly body: string | Uint8Array
}

/** A server, until it is closed. */
export interface LocalServer {
  /** Begins with localhost, a secure context, which WebGPU wants. */
  readonly url: string
  /** Ends it, open connections too. */
  close(): void
}

/**
 * A server for this machine alone.
 * @param answer gives the content of a path, which begins with a slash and is decoded; null for 404
 * @param port 0 for any that is free
 * @throws UsageError when the port is taken
 */
export async function serveLocally(
  answer: (path: string) => Promise<Answer | null>,
  port: number,
): Promise<LocalServer> {
  const server = createServer((request, response) => {
    const path = pathOf(request.url ?? '/')
    if (path === null) {
      response.writeHead(400).end()
      return
    }
    answer(path).then(
      (found) => {
        response.writeHead(found ? 200 : 404, {
          'content-type': found?.type ?? 'text/plain',
          'cache-control': 'no-store',
        })
        response.end(found?.body)
      },
      () => response.writeHead(500).end(),
    )
  })
  await new Promise<void>((resolve, reject) =>
    server.once('error', reject).listen(port, '127.0.0.1', resolve),
  ).catch((cause: unknown) => {
    throw new UsageError(
      `cannot serve on port ${port}: it is in use, or reserved; choose another port`,
      { cause },
    )
  })
  const address = server.address()
  return {
    url: `http://localhost:${typeof address === 'object' && address ? address.port : port}/`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** The path of a request, decoded and without its query; null where it is malformed. */
function pathOf(target: string): string | null {
  try {
    return decodeURIComponent(new URL(target, 'http://localhost').pathname)
  } catch {
    return null
  }
}
