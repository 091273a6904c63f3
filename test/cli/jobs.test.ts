/** The commands that reach a queue: worker and jobs. */

import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDashboard } from '../../src/jobs/node/dashboard.ts'
import { findServer } from '../../src/jobs/node/server.ts'
import { present, startRedis, type TestServer } from '../support/servers.ts'
import { graft } from './run.ts'

test('a worker and a look at a queue say what they need', async () => {
  const wrong: readonly [readonly string[], RegExp][] = [
    [['worker', '--store', 'x'], /a worker needs --queue URL/],
    [['worker', '--queue', 'redis://127.0.0.1:1'], /a worker needs --store ADDRESS/],
    [['jobs', '--queue', 'mysql://host'], /PostgreSQL or Redis/],
    [['jobs', '--queue', 'redis://h', '--failed', '--clean'], /give one of them/],
  ]
  for (const [args, line] of wrong) {
    const { code, complaints } = await graft(args)
    expect([code, complaints.length]).toEqual([2, 1])
    expect(complaints[0]).toMatch(line)
  }
})

describe.skipIf(!present.redis)('on Redis', () => {
  let server: TestServer
  let folder = ''
  beforeAll(async () => {
    server = await startRedis()
    folder = await mkdtemp(join(tmpdir(), 'graft-worker-'))
  })
  afterAll(async () => {
    await server.stop()
    await rm(folder, { recursive: true })
  })

  test('a worker takes jobs until it is told to end, and jobs sees it', async () => {
    let seen: Promise<{ readonly events: () => Record<string, unknown>[] }> | null = null
    const worker = await graft(['worker', '--store', folder, '--json'], {
      env: { GRAFT_QUEUE: server.url },
      onStdout: (text, kill) => {
        if (seen || !text.includes('"ready"')) return
        seen = graft(['jobs', '--queue', server.url, '--json'])
        void seen.then(() => kill('SIGTERM'))
      },
    })
    expect(worker.code).toBe(143)
    expect(worker.events().at(-1)).toEqual({ type: 'result', jobs: 0, images: 0, failed: 0 })
    const [state] = (await (seen as unknown as ReturnType<typeof graft>)).events()
    expect(state).toMatchObject({ type: 'result', waiting: 0, failed: 0 })
    expect(state?.workers).toEqual([expect.stringMatching(/-\d+$/)])
  })

  test('the dashboard is a page for this machine only', async () => {
    const { classes, base, name } = await findServer({ url: server.url })
    const queue = new classes.Queue(name, base)
    const { url, close } = await openDashboard(queue, 0)
    const page = await fetch(url)
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<html')])
    expect((await fetch(`${url}api/queues`)).status).toBe(200)
    const status = await new Promise((resolve, reject) => {
      const headers = { Host: 'evil.example' }
      request(`${url}api/queues`, { headers }, (response) => resolve(response.statusCode))
        .on('error', reject)
        .end()
    })
    expect(status).toBe(403)
    await close()
    await queue.close()
  })
})
