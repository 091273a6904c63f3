import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { serveLocally } from '../../src/inspect/node/localServer.ts'

/** The first line that comes back for a request line sent as it is: fetch would mend it. */
function statusOf(url: string, target: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () =>
      socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
    )
    socket.once('data', (chunk) => {
      resolve(String(chunk).split('\r\n', 1)[0] ?? '')
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

test('answers what lies at a path, decoded, says where nothing does, and outlives requests that make no sense', async () => {
  const { url, close } = await serveLocally(async (path) => {
    if (path === '/broken') throw new Error('no')
    return path === '/a b.txt' ? { type: 'text/plain', body: 'here' } : null
  }, 0)
  try {
    const found = await fetch(new URL('/a%20b.txt?x=1', url))
    expect([found.status, await found.text()]).toEqual([200, 'here'])
    expect((await fetch(new URL('/other', url))).status).toBe(404)
    expect((await fetch(new URL('/broken', url))).status).toBe(500)
    expect(await statusOf(url, '//')).toBe('HTTP/1.1 400 Bad Request')
    expect(await statusOf(url, '/%ff')).toBe('HTTP/1.1 400 Bad Request')
    expect((await fetch(new URL('/a%20b.txt', url))).status).toBe(200)
  } finally {
    close()
  }
})
