import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { cut, FileServer, send } from '../support/fileServer.ts'
import { graft, Workplace } from './run.ts'

vi.setConfig({ testTimeout: 300_000 })

const server = new FileServer()
let place: Workplace
let file: Buffer
let sha256: string
beforeAll(async () => {
  await server.listen()
  place = await Workplace.make()
  file = await readFile('weights/alexnet-64-tinyimagenet100.safetensors')
  sha256 = createHash('sha256').update(file).digest('hex')
})
afterAll(async () => {
  await server.close()
  await place.remove()
})

const env = () => ({
  XDG_CONFIG_HOME: place.path('config'),
  XDG_CACHE_HOME: place.path('cache'),
  GRAFT_CACHE: '', // the default, below XDG_CACHE_HOME
  TORCH_HOME: place.path('torch'),
  GRAFT_OFFLINE: '',
})
const run = (...args: string[]) => graft(args, { env: env() })

test('a name of one’s own is added, fetched by the training that needs it, checked, found and forgotten', async () => {
  server.now((visit) => (visit.number === 1 ? cut(file, visit, 40_000) : send(file, visit)))
  const added = await run(
    'weights',
    'add',
    'lab/net',
    server.url('/net.safetensors').href,
    '--sha256',
    sha256,
  )
  expect([added.code, added.complaints]).toEqual([0, []])
  const listed = await run('weights', 'list')
  expect(listed.stdout).toMatch(/^name +network +classes +parameters +top 1 +file\n/)
  expect(listed.stdout).toMatch(
    /\nalexnet-64-tinyimagenet100 +alexnet-64 +100 +1,205,156 +44\.8 % +comes with Graft\n/,
  )
  expect(listed.stdout).toMatch(
    /\ntorchvision\/alexnet +torchvision +1,000 +61,100,840 +56\.5 % +not fetched yet\n/,
  )
  expect(listed.stdout).toMatch(/\nlab\/net +- +- +- +- +not fetched yet\n/)
  const offline = await run(
    'train',
    place.photos,
    '--weights',
    'lab/net',
    '--offline',
    '--out',
    place.path('run'),
  )
  expect([offline.code, offline.complaints]).toEqual([
    1,
    [expect.stringMatching(/lab\/net: .*nothing is fetched while offline/)],
  ])

  const trained = await run(
    'train',
    place.photos,
    '--weights',
    'lab/net',
    '--epochs',
    '1',
    '--out',
    place.path('run'),
    '--json',
  )
  expect([trained.code, trained.complaints]).toEqual([0, []])
  expect(server.requests).toEqual(['/net.safetensors', '/net.safetensors from 40000'])
  expect(
    trained
      .events()
      .filter(({ type }) => type === 'fetch')
      .at(-1),
  ).toEqual({ type: 'fetch', name: 'lab/net', done: file.length, total: file.length })

  const path = place.path('cache', 'graft', 'weights', 'lab', 'net', 'net.safetensors')
  expect((await run('weights', 'path', 'lab/net')).stdout).toBe(`${path}\n`)
  expect((await run('weights', 'verify')).stdout).toMatch(
    /^sound +alexnet-64-tinyimagenet100:\s[\s\S]*\nsound +lab\/net:\s/,
  )
  await writeFile(path, file.subarray(1))
  const wrong = await run('weights', 'verify', 'lab/net', '--json')
  expect([wrong.code, wrong.events().at(-1)]).toEqual([
    1,
    {
      type: 'result',
      weights: [{ name: 'lab/net', path, problem: expect.stringMatching(/was changed/) }],
    },
  ])
  const removed = await run('weights', 'remove', 'lab/net')
  expect(removed.stdout).toMatch(/^deleted +[\s\S]*net\.safetensors\nforgotten +lab\/net\n$/)
  expect((await run('weights', 'list', '--json')).events().at(-1)).toMatchObject({
    weights: [{ name: 'alexnet-64-tinyimagenet100' }, { preprocess: { size: 224 } }],
  })
})

test('Ctrl-C while fetching keeps what has arrived', async () => {
  let sent = false
  server.now(({ response }) => {
    response.writeHead(200, { 'content-length': file.length })
    response.write(file.subarray(0, 500_000))
  })
  await run('weights', 'add', 'slow', server.url('/slow.safetensors').href, '--sha256', sha256)
  const stopped = await graft(['weights', 'fetch', 'slow', '--json'], {
    env: env(),
    onStdout: (text, kill) => {
      if (sent || !text.includes('"type":"fetch"')) return
      sent = true
      setTimeout(() => kill('SIGINT'), 100)
    },
  })
  expect([stopped.code, stopped.complaints]).toEqual([
    130,
    [expect.stringMatching(/stopped: what has arrived of slow is kept/)],
  ])
  expect(await readdir(place.path('cache', 'graft', 'weights', 'slow'))).toEqual([
    'slow.safetensors.part',
  ])
  server.now((visit) => send(file, visit))
  const fetched = await run('weights', 'fetch', 'slow')
  expect([
    fetched.code,
    fetched.stdout.includes(`here         slow: ${place.path('cache')}`),
  ]).toEqual([0, true])
  expect(server.requests).toEqual([expect.stringMatching(/^\/slow\.safetensors from \d+$/)])
})

test('slips get one line', async () => {
  const outcomes = await Promise.all(
    [
      ['weights', 'fetch', 'nothing'],
      ['weights', 'path', 'torchvision/alexnet'],
      ['weights', 'verify', 'torchvision/alexnet'],
      ['weights', 'add', 'x', 'https://example.org/x.pth'],
      ['weights', 'add', 'x', join(place.photos, 'nowhere.pth')],
      ['weights', 'remove', 'alexnet-64-tinyimagenet100'],
      ['weights', 'lsit'],
    ].map((args) => run(...args)),
  )
  expect(outcomes.map(({ code, complaints, stdout }) => [code, complaints[0] ?? stdout])).toEqual([
    [
      2,
      expect.stringMatching(
        /no weights named nothing; the names are alexnet-64-tinyimagenet100, torchvision\/alexnet/,
      ),
    ],
    [
      1,
      expect.stringMatching(
        /not on this machine yet: 'node \S+graft\.js weights fetch torchvision\/alexnet'/,
      ),
    ],
    [1, expect.stringMatching(/wrong +torchvision\/alexnet: the file is not here/)],
    [2, expect.stringMatching(/the sha256 of https:\/\/example\.org\/x\.pth is needed/)],
    [1, expect.stringMatching(/there is no such file/)],
    [2, expect.stringMatching(/comes with Graft and stays/)],
    [2, expect.stringMatching(/unknown command 'lsit' \(Did you mean list\?\)/)],
  ])
})
