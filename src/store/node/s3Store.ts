import { setTimeout as wait } from 'node:timers/promises'
import type * as S3 from '@aws-sdk/client-s3'
import { optionalPackage } from '../../base/node/optionalPackage.ts'
import { requirePath, type Store, type StoredObject, StoreError } from '../store.ts'
import type { Place } from './address.ts'
import { storeError } from './s3Errors.ts'

type Sdk = typeof S3

/** What tests set lower. */
export interface S3Limits {
  /** Objects that are larger are written in parts of this size; S3 takes no smaller part. */
  readonly partBytes: number
  /** Milliseconds to wait before each further attempt. */
  readonly pauses: readonly number[]
  /** Objects that are listed in one answer; S3 gives no more than a thousand. */
  readonly pageObjects: number
}

const usual: S3Limits = {
  partBytes: 16 * 2 ** 20,
  pauses: [500, 1000, 2000, 4000, 8000],
  pageObjects: 1000,
}

/** Parts of one object that are sent at a time. */
const partsAtOnce = 4

/**
 * Opens a bucket, or a prefix of one. Keys, region and server come from where every program that
 * uses S3 takes them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, profiles, roles; AWS_REGION;
 * AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_S3 for a server that is not Amazon's, where the bucket then
 * stands in the path. Checksums are left out where S3 does not need them, since other servers
 * refuse them.
 * @throws GraftError with code `package` if the package is not installed
 */
export async function openS3Store(
  place: Place & { readonly kind: 's3' },
  address: string,
  limits: Partial<S3Limits> = {},
): Promise<Store> {
  const sdk = await optionalPackage(
    '@aws-sdk/client-s3',
    'an s3: address',
    () => import('@aws-sdk/client-s3'),
  )
  return new S3Store(sdk, await connect(sdk), place, address, { ...usual, ...limits })
}

async function connect(sdk: Sdk): Promise<S3.S3Client> {
  // The SDK would write six lines about its own releases of next year among the command's lines.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  const endpoint = process.env.AWS_ENDPOINT_URL_S3 || process.env.AWS_ENDPOINT_URL
  const options: S3.S3ClientConfig = {
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    followRegionRedirects: true,
    requestHandler: { connectionTimeout: 10_000, socketTimeout: 60_000 },
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
  }
  const client = new sdk.S3Client(options)
  const region = await client.config.region().catch(() => null)
  if (region !== null) return client
  client.destroy()
  // Servers that are not Amazon's have no regions, and Amazon's say the right one.
  return new sdk.S3Client({ ...options, region: process.env.AWS_DEFAULT_REGION || 'us-east-1' })
}

/**
 * Objects of a bucket. What fails for a reason that may pass is tried again for some fifteen
 * seconds, beside the SDK's own attempts, which end sooner and do not cover a body that breaks off.
 *
 * `ifAbsent` asks for the object first and then writes on the condition that there is none. A
 * server that knows no conditions writes anyway: of two writers at one moment the last one wins
 * there. After an attempt of which the answer was lost, the object may be this writer's own, and
 * false is returned.
 */
class S3Store implements Store {
  readonly address: string
  readonly #sdk: Sdk
  readonly #client: S3.S3Client
  readonly #bucket: string
  readonly #prefix: string
  readonly #limits: S3Limits
  /** Whether the server has said that it knows no conditions. */
  #unconditional = false

  constructor(
    sdk: Sdk,
    client: S3.S3Client,
    { bucket, prefix }: Place & { readonly kind: 's3' },
    address: string,
    limits: S3Limits,
  ) {
    this.#sdk = sdk
    this.#client = client
    this.#bucket = bucket
    this.#prefix = prefix === '' ? '' : `${prefix}/`
    this.address = address
    this.#limits = limits
  }

  async stat(path: string): Promise<StoredObject | null> {
    const object = this.#object(path)
    try {
      const found = await this.#tried(path, () =>
        this.#client.send(new this.#sdk.HeadObjectCommand(object)),
      )
      return { path, bytes: found.ContentLength ?? 0, version: versionOf(found.ETag) }
    } catch (error) {
      if (error instanceof StoreError && error.problem === 'missing') return null
      throw error
    }
  }

  async read(
    path: string,
    part?: { readonly start: number; readonly bytes: number },
  ): Promise<Uint8Array> {
    const object = this.#object(path)
    if (part?.bytes === 0) return new Uint8Array(0)
    const range = part ? { Range: `bytes=${part.start}-${part.start + part.bytes - 1}` } : {}
    const bytes = await this.#tried(path, async () => {
      const found = await this.#client.send(new this.#sdk.GetObjectCommand({ ...object, ...range }))
      const body = (await found.Body?.transformToByteArray()) ?? new Uint8Array(0)
      if (body.length !== (found.ContentLength ?? body.length))
        throw new StoreError('unreachable', `${this.#called(path)} broke off while it was read`)
      return body
    })
    if (!part || bytes.length === part.bytes) return bytes
    throw new StoreError(
      'missing',
      `${this.#called(path)} ends before byte ${part.start + part.bytes}`,
    )
  }

  async write(
    path: string,
    content: Uint8Array,
    { ifAbsent = false }: { readonly ifAbsent?: boolean } = {},
  ): Promise<boolean> {
    const object = this.#object(path)
    if (ifAbsent && (await this.stat(path))) return false
    const send = (condition: { IfNoneMatch?: string }) =>
      content.length > this.#limits.partBytes
        ? this.#writeParts(path, content, condition)
        : this.#tried(path, () =>
            this.#client.send(
              new this.#sdk.PutObjectCommand({ ...object, ...condition, Body: content }),
            ),
          )
    try {
      await send(ifAbsent && !this.#unconditional ? { IfNoneMatch: '*' } : {})
    } catch (error) {
      const { name, $metadata } = ((error as Error).cause ?? {}) as S3.S3ServiceException
      if (name === 'PreconditionFailed' || $metadata?.httpStatusCode === 412) return false
      if (!ifAbsent || this.#unconditional || name !== 'NotImplemented') throw error
      this.#unconditional = true
      await send({})
    }
    return true
  }

  async *list(folder: string): AsyncGenerator<StoredObject, void, undefined> {
    const below = folder === '' ? '' : `${requirePath(folder)}/`
    let token: string | undefined
    do {
      const page = await this.#tried(folder, () =>
        this.#client.send(
          new this.#sdk.ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: this.#prefix + below,
            EncodingType: 'url', // XML has no way to write control characters
            MaxKeys: this.#limits.pageObjects,
            ContinuationToken: token,
          }),
        ),
      )
      const key = page.EncodingType === 'url' ? decodedKey : (text: string) => text
      for (const { Key = '', Size = 0, ETag } of page.Contents ?? []) {
        const path = key(Key).slice(this.#prefix.length)
        // Consoles keep an empty object in the place of a folder.
        if (path !== '' && !path.endsWith('/'))
          yield { path, bytes: Size, version: versionOf(ETag) }
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  async remove(path: string): Promise<void> {
    const object = this.#object(path)
    await this.#tried(path, () => this.#client.send(new this.#sdk.DeleteObjectCommand(object)))
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }

  /** Writes an object in parts; what was sent is removed if it cannot be finished. */
  async #writeParts(
    path: string,
    content: Uint8Array,
    condition: { readonly IfNoneMatch?: string },
  ): Promise<void> {
    const object = this.#object(path)
    const { UploadId } = await this.#tried(path, () =>
      this.#client.send(new this.#sdk.CreateMultipartUploadCommand(object)),
    )
    const upload = { ...object, UploadId }
    const count = Math.ceil(content.length / this.#limits.partBytes)
    const parts: S3.CompletedPart[] = []
    let next = 0
    const sender = async () => {
      while (next < count) {
        const index = next++
        const start = index * this.#limits.partBytes
        const Body = content.subarray(start, start + this.#limits.partBytes)
        const PartNumber = index + 1
        const { ETag } = await this.#tried(path, () =>
          this.#client.send(new this.#sdk.UploadPartCommand({ ...upload, PartNumber, Body })),
        )
        parts[index] = { PartNumber, ETag }
      }
    }
    try {
      await Promise.all(Array.from({ length: Math.min(partsAtOnce, count) }, sender))
      await this.#tried(path, () =>
        this.#client.send(
          new this.#sdk.CompleteMultipartUploadCommand({
            ...upload,
            ...condition,
            MultipartUpload: { Parts: parts },
          }),
        ),
      )
    } catch (error) {
      next = count
      // If this fails too, the first error is the one to tell.
      await this.#client
        .send(new this.#sdk.AbortMultipartUploadCommand(upload))
        .catch(() => undefined)
      throw error
    }
  }

  /** Does a request, again and again while it fails for a reason that may pass. */
  async #tried<T>(path: string, request: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await request()
      } catch (cause) {
        const error = storeError(this.#called(path), this.#bucket, cause)
        const pause = this.#limits.pauses[attempt]
        if (error.problem !== 'unreachable' || pause === undefined) throw error
        await wait(pause * (0.5 + Math.random() / 2))
      }
    }
  }

  #object(path: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + requirePath(path) }
  }

  #called(path: string): string {
    return path === '' ? this.address : `${this.address}/${path}`
  }
}

function versionOf(tag = ''): string {
  return tag.replace(/^"|"$/g, '')
}

function decodedKey(text: string): string {
  return decodeURIComponent(text.replaceAll('+', '%20'))
}
