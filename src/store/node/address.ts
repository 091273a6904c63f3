import { basename, dirname, resolve, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { absolutePath } from '../../base/node/fileNames.ts'
import { requirePath, StoreError } from '../store.ts'

/** Where a store, or an object of one, lies. */
export type Place =
  | { readonly kind: 'file'; readonly path: string }
  /** The prefix is '' for a whole bucket, and ends without a slash. */
  | { readonly kind: 's3'; readonly bucket: string; readonly prefix: string }

/** Whether a text is an address, and not a path: a folder `s3:` is named `./s3:`. */
export function isAddress(text: string): boolean {
  return /^(s3|file):/i.test(text) || /^[a-z][a-z0-9+.-]+:\/\//i.test(text)
}

/**
 * Reads an address: `s3://bucket/prefix`, `file:///folder`, or a path.
 * @throws StoreError `refused` for any other, and for one that goes through `..`
 */
export function parseAddress(text: string): Place {
  if (/^file:/i.test(text)) return { kind: 'file', path: filePath(text) }
  if (/^s3:/i.test(text)) return bucketPlace(text)
  if (isAddress(text))
    throw new StoreError(
      'refused',
      `${text.slice(0, text.indexOf(':'))}: is no kind of store: ` +
        'give s3://bucket/folder, file:///folder or a path',
    )
  return { kind: 'file', path: absolutePath(text) }
}

/** The address in its one spelling, by which addresses are compared. */
export function writeAddress(place: Place): string {
  if (place.kind === 'file') return pathToFileURL(place.path).href.replace(/(?<!\/)\/$/, '')
  return `s3://${place.bucket}${place.prefix && `/${place.prefix}`}`
}

/** The place around a place, and its name there; null for the uppermost. */
export function splitPlace(place: Place): { readonly above: Place; readonly name: string } | null {
  if (place.kind === 'file') {
    const name = basename(place.path)
    return name === '' ? null : { above: { kind: 'file', path: dirname(place.path) }, name }
  }
  const { prefix } = place
  if (prefix === '') return null
  const slash = prefix.lastIndexOf('/')
  const above = { ...place, prefix: prefix.slice(0, Math.max(slash, 0)) }
  return { above, name: prefix.slice(slash + 1) }
}

/** Whether a place is another one, or lies below it. */
export function isBelow(place: Place, other: Place): boolean {
  if (place.kind === 'file') return other.kind === 'file' && startsWith(place.path, other.path, sep)
  return (
    other.kind === 's3' &&
    place.bucket === other.bucket &&
    (other.prefix === '' || startsWith(place.prefix, other.prefix, '/'))
  )
}

function startsWith(path: string, folder: string, slash: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(slash) ? folder : folder + slash)
}

function filePath(text: string): string {
  let url: URL
  try {
    url = new URL(text)
    if (!/^file:\/\//i.test(text) || url.search !== '' || url.hash !== '') throw new TypeError()
    return resolve(fileURLToPath(url))
  } catch (cause) {
    throw new StoreError(
      'refused',
      `${text} is no address of a folder here: write file:///folder, with ?, # and % as %3F, ` +
        '%23 and %25, or give the path',
      { cause },
    )
  }
}

function bucketPlace(text: string): Place {
  if (/^s3:\/\/[^/]*@/i.test(text))
    throw new StoreError(
      'refused',
      'an s3: address holds no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile',
    )
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]*)\/?(.*?)\/?$/is.exec(text) ?? []
  if (!/^[a-z0-9][a-z0-9._-]{1,254}$/i.test(bucket))
    throw new StoreError('refused', `${text} names no bucket: write s3://bucket/folder`)
  return { kind: 's3', bucket, prefix: prefix === '' ? '' : requirePath(prefix) }
}

/** The address that all images lie below: of a table or an archive, the folder that it is in. */
export function rootOf(address: string, image: string): string {
  return image.startsWith(`${address}/`) ? address : address.slice(0, address.lastIndexOf('/'))
}

/** What a person calls the place of the images, as it stands before their names. */
export function prefixOf(given: string, image: string, address: string): string {
  const root = rootOf(address, image) === address ? given : given.replace(/[^\\/]*$/, '')
  return root === '' || /[\\/]$/.test(root) ? root : `${root}/`
}
