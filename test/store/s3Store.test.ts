import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openStore } from '../../src/store/node/openStore.ts'
import { openS3Store, type S3Limits } from '../../src/store/node/s3Store.ts'
import type { Store } from '../../src/store/store.ts'
import { type Fault, type S3Proxy, startS3Proxy } from '../support/s3Proxy.ts'
import { makeBucket, present, s3Environment, startS3, type TestServer } from '../support/servers.ts'

const content = new TextEncoder().encode('the content')
const partBytes = 5 * 2 ** 20

describe.skipIf(!present.s3)('S3 on a bad day', () => {
  let server: TestServer
  let proxy: S3Proxy

  beforeAll(async () => {
    server = await startS3()
    proxy = await startS3Proxy(server.url)
    await makeBucket(server.url, 'bucket')
  })
  afterAll(async () => {
    await proxy.close()
    await server.stop()
  })
  beforeEach(() => {
    Object.assign(process.env, s3Environment(proxy.url))
    proxy.fault = () => null
  })

  const open = (limits: Partial<S3Limits> = {}, bucket = 'bucket'): Promise<Store> =>
    openS3Store({ kind: 's3', bucket, prefix: 'work' }, `s3://${bucket}/work`, {
      ...{ partBytes, pauses: [1, 1, 1], ...limits },
    })

  /** Answers the first requests so, and passes the others on. */
  function first(count: number, fault: Fault): void {
    let left = count
    proxy.fault = () => (left-- > 0 ? fault : null)
  }

  const error = (code: string, status: number): Fault => ({
    status,
    body: `<Error><Code>${code}</Code><Message>told</Message></Error>`,
  })

  test('what fails for a while is tried again until it passes', async () => {
    const store = await open()
    first(5, error('InternalError', 500))
    expect(await store.write('a', content)).toBe(true)
    first(4, { status: 500 })
    expect(await store.read('a')).toEqual(content)
    first(1, error('SlowDown', 503))
    expect(await store.stat('a')).toMatchObject({ bytes: content.length })
  })

  test('a body that breaks off is read again', async () => {
    const store = await open()
    const long = new Uint8Array(300_000).fill(7)
    await store.write('long', long)
    first(2, 'cut')
    expect(Buffer.compare(await store.read('long'), long)).toBe(0)
    first(2, 'cut')
    const part = await store.read('long', { start: 1000, bytes: 200_000 })
    expect(part).toHaveLength(200_000)
  })

  test('a server that does not come back is unreachable', async () => {
    const store = await open()
    proxy.fault = () => error('InternalError', 500)
    const reading = store.read('a')
    await expect(reading).rejects.toMatchObject({ code: 'store', problem: 'unreachable' })
    await expect(reading).rejects.toThrow(/^s3:\/\/bucket\/work\/a: the server does not do this/)
    process.env.AWS_ENDPOINT_URL_S3 = 'http://127.0.0.1:9'
    const nobody = await open()
    await expect(nobody.stat('a')).rejects.toMatchObject({ problem: 'unreachable' })
  })

  test.each([
    ['AccessDenied', 403, 'denied', /these keys may not do that/],
    ['InvalidAccessKeyId', 403, 'denied', /does not accept the keys/],
    ['ExpiredToken', 400, 'denied', /does not accept the keys/],
    ['EntityTooLarge', 400, 'refused', /the server refuses this \(EntityTooLarge: told\)/],
    ['AuthorizationHeaderMalformed', 400, 'refused', /another region: set AWS_REGION/],
  ] as const)('%s is told at once', async (code, status, problem, message) => {
    const store = await open()
    let asked = 0
    proxy.fault = () => {
      asked++
      return error(code, status)
    }
    const writing = store.write('a', content)
    await expect(writing).rejects.toMatchObject({ problem })
    await expect(writing).rejects.toThrow(message)
    expect(asked).toBeLessThan(3)
  })

  test('a bucket that is not there is named', async () => {
    const store = await open({}, 'no-such-bucket')
    const missing = { problem: 'missing', message: /there is no bucket no-such-bucket/ }
    await expect(store.read('a')).rejects.toMatchObject({ problem: 'missing' })
    await expect(store.write('a', content)).rejects.toThrow(missing.message)
    const listing = async () => {
      for await (const _ of store.list('')) break
    }
    await expect(listing()).rejects.toThrow(missing.message)
  })

  test('without keys the line says which to set, and no key is ever in a line', async () => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) delete process.env[name]
    Object.assign(process.env, {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_SHARED_CREDENTIALS_FILE: '/none',
      AWS_CONFIG_FILE: '/none',
    })
    const reading = (await open()).read('a')
    await expect(reading).rejects.toMatchObject({ problem: 'denied' })
    await expect(reading).rejects.toThrow(/no keys for S3 here: set AWS_ACCESS_KEY_ID and/)
  })

  test('parts that cannot be finished are removed', async () => {
    const store = await open({ pauses: [] })
    const large = new Uint8Array(3 * partBytes)
    proxy.fault = ({ path }) => (/partNumber=2/.test(path) ? error('AccessDenied', 403) : null)
    await expect(store.write('large', large)).rejects.toMatchObject({ problem: 'denied' })
    const uploads = await fetch(`${server.url}/bucket?uploads`)
    expect(await uploads.text()).not.toContain('<UploadId>')
    expect(await store.stat('large')).toBeNull()
  })

  test('a part that fails for a while is sent again', async () => {
    const store = await open()
    const large = new Uint8Array(2 * partBytes).map((_, i) => i * 3)
    let left = 4
    proxy.fault = ({ path }) =>
      /partNumber=2/.test(path) && left-- > 0 ? error('InternalError', 500) : null
    await store.write('retried', large)
    expect(Buffer.compare(await store.read('retried'), large)).toBe(0)
  })

  test('a server that knows no conditions is written to without them', async () => {
    const store = await open()
    proxy.fault = ({ headers }) => (headers['if-none-match'] ? error('NotImplemented', 501) : null)
    expect(await store.write('plain', content, { ifAbsent: true })).toBe(true)
    expect(await store.write('plain', new Uint8Array(1), { ifAbsent: true })).toBe(false)
    expect(await store.read('plain')).toEqual(content)
  })

  test('no request carries a checksum that other servers would refuse', async () => {
    const store = await open()
    const before = proxy.passed.length
    await store.write('sum', content)
    await store.read('sum')
    const names = proxy.passed.slice(before).flatMap(({ headers }) => Object.keys(headers))
    expect(names.filter((name) => /checksum|sdk-checksum|trailer/.test(name))).toEqual([])
  })

  test('all pages are listed, with any characters in names, not the marks of folders', async () => {
    const keys = ['%01%3C%26%2B%20.jpg', 'a//b', 'c/', 'd', 'e', '..%2Fx']
    for (const key of keys)
      await fetch(`${server.url}/bucket/work/pages/${key}`, { method: 'PUT', body: 'x' })
    const store = await open({ pageObjects: 2 })
    const found: string[] = []
    for await (const { path } of store.list('pages')) found.push(path)
    const names = ['\u0001<&+ .jpg', '../x', 'a//b', 'd', 'e']
    expect(found).toEqual(names.map((name) => `pages/${name}`))
  })
})

test('keys in an address are refused, and not repeated', async () => {
  await expect(openStore('s3://id:secret@bucket')).rejects.toThrow(/^an s3: address holds no keys/)
})
