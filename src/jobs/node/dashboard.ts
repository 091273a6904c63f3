import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { optionalPackage } from '../../base/node/optionalPackage.ts'
import { QueueError } from '../runner.ts'
import type { JobQueue } from './server.ts'

/**
 * Shows a queue in a browser, by bull-board: on this machine only, since whoever sees it may also
 * remove jobs.
 * @param port 0 for any free one
 * @returns its address, and what ends it
 * @throws GraftError with code `package` if bull-board is not installed
 */
export async function openDashboard(
  queue: JobQueue,
  port: number,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const needs = 'a dashboard'
  const [{ createBullBoard }, { BullMQAdapter }] = await optionalPackage(
    '@bull-board/api',
    needs,
    () => Promise.all([import('@bull-board/api'), import('@bull-board/api/bullMQAdapter')]),
  )
  const { ExpressAdapter } = await optionalPackage(
    '@bull-board/express',
    needs,
    () => import('@bull-board/express'),
  )
  const serverAdapter = new ExpressAdapter()
  // It is typed for queues on Redis, and uses what all of them have.
  type Shown = ConstructorParameters<typeof BullMQAdapter>[0]
  const shown = new BullMQAdapter(queue as unknown as Shown)
  createBullBoard({ queues: [shown], serverAdapter })
  const app: RequestListener = serverAdapter.getRouter()
  const server = createServer((request, response) => {
    // A page from elsewhere may give its own name this machine's address.
    if (/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? ''))
      return app(request, response)
    response.writeHead(403).end('this page is for this machine only')
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: Error) =>
      reject(new QueueError(`no dashboard on port ${port}: ${cause.message}`, { cause })),
    )
    server.listen(port, '127.0.0.1', resolve)
  })
  const { port: taken } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${taken}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
