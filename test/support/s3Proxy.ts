import { once } from 'node:events'
import { createServer, request } from 'node:http'

/** A request on its way to an S3 server. */
export interface Passing {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** What a proxy does instead of passing a request on: an answer, or a body that breaks off. */
export type Fault = { readonly status: number; readonly body?: string } | 'cut' | null

export interface S3Proxy {
  readonly url: string
  readonly passed: readonly Passing[]
  /** Asked for every request. */
  fault: (passing: Passing) => Fault
  close(): Promise<void>
}

/** Stands before a test's S3 server, counts requests and answers some of them as on a bad day. */
export async function startS3Proxy(target: string): Promise<S3Proxy> {
  const passed: Passing[] = []
  const { hostname, port } = new URL(target)
  const server = createServer((incoming, outgoing) => {
    const { method = '', url: path = '', headers } = incoming
    const passing = { method, path, headers }
    passed.push(passing)
    const fault = proxy.fault(passing)
    if (fault !== null && fault !== 'cut') {
      incoming.resume()
      incoming.once('end', () => {
        outgoing.writeHead(fault.status, { 'content-type': 'application/xml' }).end(fault.body)
      })
      return
    }
    const onward = request({ hostname, port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      if (fault !== 'cut') answer.pipe(outgoing)
      else
        answer.once('data', (piece: Buffer) => {
          outgoing.write(piece.subarray(0, piece.length >> 1), () => outgoing.destroy())
        })
    })
    onward.once('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const proxy: S3Proxy = {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    passed,
    fault: () => null,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return proxy
}
