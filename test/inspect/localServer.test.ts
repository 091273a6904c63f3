import { connect, createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type LocalServer, serveLocally } from '../../src/inspect/node/localServer.ts'

let server: LocalServer
let [port, secret] = ['', '']
beforeAll(async () => {
  const answers = async (path: string) => {
    if (path === '/broken') throw new Error('no')
    return path === '/a b.txt' ? { type: 'text/plain', body: 'hére' } : null
  }
  server = await serveLocally(async () => answers, 0)
  const parts = /^http:\/\/localhost:(\d+)\/([\w-]{22})\/$/.exec(server.url)
  expect(parts).not.toBeNull()
  ;[, port = '', secret = ''] = parts ?? []
})
afterAll(() => server.close())

/** What comes back for lines sent as they are, until the server closes: fetch would mend them. */
function answerTo(lines: readonly string[], address = '127.0.0.1'): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const fill = (line: string) =>
      line
        .replaceAll('PORT', port)
        .replaceAll('SECRET', secret)
        .replaceAll('HALF', secret.slice(0, 11))
    const socket = connect(Number(port), address, () =>
      socket.write(`${[...lines, 'Connection: close'].map(fill).join('\r\n')}\r\n\r\n`),
    )
    socket.on('data', (chunk) => {
      text += String(chunk)
    })
    socket.once('close', () => resolve(text))
    socket.once('error', reject)
  })
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])
const file = 'GET /SECRET/a%20b.txt HTTP/1.1'
const own = 'Host: localhost:PORT'

test.each<[string, number, ...string[]]>([
  ['its own name', 200, file, own],
  ['a name in capitals', 200, file, 'Host: LOCALHOST:PORT'],
  ['its own address', 200, file, 'Host: 127.0.0.1:PORT'],
  ['a query', 200, 'GET /SECRET/a%20b.txt?x=1 HTTP/1.1', own],
  ['HTTP/1.0 with a name', 200, 'GET /SECRET/a%20b.txt HTTP/1.0', own],
  ['another name', 403, file, 'Host: attacker.example:PORT'],
  ['another name without a port', 403, file, 'Host: attacker.example'],
  ['another name that begins as its own', 403, file, 'Host: 127.0.0.1:PORT.attacker.example'],
  ['another name below its own', 403, file, 'Host: localhost.attacker.example:PORT'],
  ['another name that ends as its own', 403, file, 'Host: attacker.localhost:PORT'],
  ['a user before its name', 403, file, 'Host: attacker.example@localhost:PORT'],
  ['two names in one', 403, file, 'Host: localhost:PORT, attacker.example'],
  ['a dot at the end', 403, file, 'Host: localhost.:PORT'],
  ['no port', 403, file, 'Host: localhost'],
  ['another port', 403, file, 'Host: localhost:1'],
  ['a port of more digits', 403, file, 'Host: localhost:0PORT'],
  ['an address that means the same', 403, file, 'Host: 127.1:PORT'],
  ['the address of every interface', 403, file, 'Host: 0.0.0.0:PORT'],
  ['an empty name', 403, file, 'Host:'],
  ['two names', 403, file, own, 'Host: attacker.example'],
  ['its name twice', 403, file, own, own],
  ['another name, forwarded', 403, file, 'Host: attacker.example', 'X-Forwarded-Host: localhost'],
  ['no name', 400, file],
  ['HTTP/1.0 without a name', 403, 'GET /SECRET/a%20b.txt HTTP/1.0'],
  ['a whole address', 400, 'GET http://attacker.example/SECRET/a%20b.txt HTTP/1.1', own],
  ['its own whole address', 400, 'GET http://localhost:PORT/SECRET/a%20b.txt HTTP/1.1', own],
  ['an address without a scheme', 400, 'GET //attacker.example/SECRET/a%20b.txt HTTP/1.1', own],
  ['two slashes', 400, 'GET // HTTP/1.1', own],
  ['an escape that is none', 400, 'GET /%ff HTTP/1.1', own],
  ['no secret', 404, 'GET / HTTP/1.1', own],
  ['no secret before a path', 404, 'GET /a%20b.txt HTTP/1.1', own],
  ['an empty secret', 404, 'GET /%2Fa%20b.txt HTTP/1.1', own],
  ['half the secret', 404, 'GET /HALF/a%20b.txt HTTP/1.1', own],
  ['more than the secret', 404, 'GET /SECRETs/a%20b.txt HTTP/1.1', own],
  ['a longer one in bytes alone', 404, `GET /${'%C3%A9'.repeat(22)}/ HTTP/1.1`, own],
  ['no slash at the end', 308, 'GET /SECRET HTTP/1.1', own],
  ['what is not there', 404, 'GET /SECRET/other HTTP/1.1', own],
  ['a way up', 404, 'GET /SECRET/../SECRET/a%20b.txt HTTP/1.1', own],
  ['what cannot be read', 500, 'GET /SECRET/broken HTTP/1.1', own],
  ...['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'].map(
    (method): [string, number, ...string[]] => [
      method,
      405,
      `${method} /SECRET/a%20b.txt HTTP/1.1`,
      own,
      'Content-Length: 0',
    ],
  ),
  ['a page of another origin', 403, file, own, 'Origin: http://attacker.example'],
  ['a page of another port', 403, file, own, 'Origin: http://localhost:1'],
  ['a page without an origin', 403, file, own, 'Origin: null'],
  ['its own page', 200, file, own, 'Origin: http://localhost:PORT', 'Sec-Fetch-Site: same-origin'],
  ['a typed address', 200, file, own, 'Sec-Fetch-Site: none', 'Sec-Fetch-Mode: navigate'],
  ['an image on another site', 403, file, own, 'Sec-Fetch-Site: cross-site'],
  ['an image on another port', 403, file, own, 'Sec-Fetch-Site: same-site'],
  [
    'a link on another site',
    200,
    file,
    own,
    'Sec-Fetch-Site: cross-site',
    'Sec-Fetch-Mode: navigate',
    'Sec-Fetch-Dest: document',
  ],
  [
    'a frame on another site',
    403,
    file,
    own,
    'Sec-Fetch-Site: cross-site',
    'Sec-Fetch-Mode: navigate',
    'Sec-Fetch-Dest: iframe',
  ],
])('%s: %i', async (_, status, ...lines) => {
  const answer = await answerTo(lines)
  expect(statusOf(answer)).toBe(status)
  expect(answer.includes('hére')).toBe(status === 200)
  if (status === 400 && !lines.some((line) => line.startsWith('Host'))) return // Node's own answer
  expect(answer).toMatch(/^content-security-policy: default-src 'none';.*frame-ancestors 'none'/im)
  expect(answer).toMatch(/^x-content-type-options: nosniff\r$/im)
  expect(answer).toMatch(/^referrer-policy: no-referrer\r$/im)
  expect(answer).toMatch(/^cross-origin-resource-policy: same-origin\r$/im)
  expect(answer).not.toMatch(/^access-control/im)
  if (status === 405) expect(answer).toMatch(/^allow: GET, HEAD\r$/im)
})

test('HEAD has the headers of GET and no body; the address without its last slash leads to it', async () => {
  const head = await answerTo(['HEAD /SECRET/a%20b.txt HTTP/1.1', own])
  expect(head).toMatch(/^content-length: 5\r$/m)
  expect(head).toMatch(/\r\n\r\n$/)
  const followed = await fetch(server.url.slice(0, -1))
  expect([followed.url, followed.status]).toEqual([server.url, 404])
})

test('what has the secret of one server opens no other', async () => {
  const other = await serveLocally(async () => async () => ({ type: 'text/plain', body: '' }), 0)
  const { status } = await fetch(new URL(`/${secret}/a%20b.txt`, other.url))
  other.close()
  expect(status).toBe(404)
})

test('it listens at ::1 too, where there is one, and not beyond this machine', async () => {
  const there = await new Promise<boolean>((resolve) => {
    const probe = createServer().once('error', () => resolve(false))
    probe.listen(0, '::1', () => probe.close(() => resolve(true)))
  })
  if (!there) return
  expect(statusOf(await answerTo([file, 'Host: [::1]:PORT'], '::1'))).toBe(200)
})

test('a port that is taken is an error before anything is prepared', async () => {
  let prepared = false
  const prepare = async () => {
    prepared = true
    return async () => null
  }
  await expect(serveLocally(prepare, Number(port))).rejects.toThrow(
    `cannot serve on port ${port}: another program uses it; choose another port, or 0 for one`,
  )
  expect(prepared).toBe(false)
})

test('the port is free again where there is nothing to serve', async () => {
  const unusedPort = await new Promise<number>((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
  const failing = serveLocally(() => Promise.reject(new Error('nothing to see')), unusedPort)
  await expect(failing).rejects.toThrow('nothing to see')
  const again = await serveLocally(async () => async () => null, unusedPort)
  again.close()
})
