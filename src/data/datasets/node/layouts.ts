import { inflateSync } from 'node:zlib'
import { DataError } from '../../../base/errors.ts'
import { PICTURE } from '../../../host/imageFormat.ts'
import { namedPart } from '../../partNames.ts'
import { isStray } from '../../strayNames.ts'
import type { LayoutName } from '../registry.ts'
import { arrangeSheets } from './cifar.ts'
import type { Draft, Target } from './draft.ts'
import { eachMember, type Progress } from './members.ts'

/** Writes the images of a dataset's archives, in the order of its list, as a folder of classes. */
export type Arrange = (
  archives: readonly string[],
  draft: Draft,
  progress: Progress,
) => Promise<void>

export const layouts: Readonly<Record<LayoutName, Arrange>> = {
  /** …/train/<class>/<file>, with valid/ or val/, and test/. */
  parts: byPath((path) => {
    const names = path.split('/')
    const at = names.findIndex((name) => namedPart(name)?.of === '')
    const part = namedPart(names[at] ?? '')?.part
    const [named, file] = [names[at + 1], names[at + 2]]
    return part && named && file && names.length === at + 3 ? [part, named, file] : null
  }),
  /** …/<class>/<file>. */
  classes: byPath((path) => {
    const [file, named] = path.split('/').reverse()
    return named && file ? [named, file] : null
  }),
  pets: arrangePets,
  'stanford-dogs': arrangeStanfordDogs,
  sheets: arrangeSheets,
}

const isImage = (path: string) => PICTURE.test(path) && !path.split('/').some(isStray)

/** An arrangement in which an image's path says where it goes; without an answer it is left out. */
function byPath(targetOf: (path: string) => Target | null): Arrange {
  return async (archives, draft, progress) => {
    for (const archive of archives)
      await eachMember(archive, { want: isImage, ...progress }, async (path, bytes) => {
        const target = targetOf(path)
        if (target) await draft.write(target, bytes, path)
      })
  }
}

/**
 * images/Abyssinian_100.jpg: the name says the breed, and one of two lists in the annotations the
 * part: a line each, which begins with the image's name. The images in neither are left out, as in
 * torchvision and TensorFlow Datasets.
 */
async function arrangePets(
  [images = '', annotations = '']: readonly string[],
  draft: Draft,
  progress: Progress,
): Promise<void> {
  const parts = new Map<string, string>()
  const lists = { 'trainval.txt': 'train', 'test.txt': 'val' }
  const fileOf = (path: string) => path.split('/').at(-1) ?? ''
  const want = (path: string) => fileOf(path) in lists && !path.split('/').some(isStray)
  await eachMember(annotations, { want, signal: progress.signal }, async (path, bytes) => {
    const part = Object.entries(lists).find(([file]) => file === fileOf(path))?.[1] ?? ''
    for (const line of Buffer.from(bytes).toString('utf8').split('\n'))
      if (line.trim() !== '') parts.set(line.split(' ', 1)[0] ?? '', part)
  })
  await byPath((path) => {
    const file = fileOf(path)
    const name = file.replace(PICTURE, '')
    const part = parts.get(name)
    return part ? [part, name.replace(/_\d+$/, ''), file] : null
  })([images], draft, progress)
  requireAll(draft, parts.size)
}

/** Images/n02085620-Chihuahua/n02085620_7.jpg, and the lists of those to train on and to test. */
async function arrangeStanfordDogs(
  [images = '', lists = '']: readonly string[],
  draft: Draft,
  progress: Progress,
): Promise<void> {
  const parts = new Map<string, string>()
  const want = (path: string) => /(^|\/)(train|test)_list\.mat$/.test(path)
  await eachMember(lists, { want, signal: progress.signal }, async (path, bytes) => {
    const part = /train_list\.mat$/.test(path) ? 'train' : 'val'
    for (const name of namesInMat(Buffer.from(bytes))) parts.set(name, part)
  })
  await byPath((path) => {
    const [file = '', folder = ''] = path.split('/').reverse()
    const part = parts.get(`${folder}/${file}`)
    return part ? [part, folder.replace(/^n\d+-/, ''), file] : null
  })([images], draft, progress)
  requireAll(draft, parts.size)
}

/** No list is larger, unpacked. */
const mostListBytes = 2 ** 26

/**
 * The names in a list of images that MATLAB wrote, of its level 5: a header of 128 bytes, then
 * elements, each with its kind and its length in 4 bytes, compressed ones as kind 15. The names are
 * found as the text that they are, whatever is around them.
 * Source: MATLAB, MAT-File Format (R2024b), "Level 5 MAT-File Format".
 */
export function namesInMat(file: Buffer): string[] {
  const [headerBytes, tagBytes, compressed] = [128, 8, 15]
  const names: string[] = []
  for (let at = headerBytes; at + tagBytes <= file.length; ) {
    const [kind, length] = [file.readUInt32LE(at), file.readUInt32LE(at + 4)]
    const content = file.subarray(at + tagBytes, at + tagBytes + length)
    const element =
      kind === compressed ? inflateSync(content, { maxOutputLength: mostListBytes }) : content
    // Letters may take one byte or two.
    const text = element.toString('latin1').replaceAll('\0', '')
    names.push(...(text.match(/n\d{8}-[\w-]+\/n\d{8}_\d+\.jpg/g) ?? []))
    at += tagBytes + length
  }
  return names
}

function requireAll(draft: Draft, listed: number): void {
  if (draft.images === listed && listed > 0) return
  throw new DataError(
    `the archives hold ${draft.images} of the ${listed} images that their lists name: refused`,
  )
}
