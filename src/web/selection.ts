import { fromEvent } from 'file-selector'
import type { PlacedFile } from '../data/filesDataset.ts'
import { PICTURE } from '../host/imageFormat.ts'

/** The files that a person dropped or chose. */
export interface Selection {
  /** The folder's name; 'images' where there were several. */
  readonly root: string
  /** With their paths below that folder. */
  readonly files: readonly PlacedFile[]
  /** Files whose names are not those of images: counts by ending, the most frequent first. */
  readonly passedOver: readonly (readonly [ending: string, count: number])[]
}

/** The files of a drop, or of a folder input's change, with their paths. */
export async function selectionFrom(event: Event): Promise<Selection> {
  const files = (await fromEvent(event)).flatMap((one) =>
    one instanceof File ? [{ path: one.relativePath.replace(/^\.?\//, ''), file: one }] : [],
  )
  const tops = new Set(files.map(({ path }) => path.slice(0, path.indexOf('/') + 1)))
  const [only = ''] = tops
  // Several folders at once are the classes; a single one contains them.
  const prefix = tops.size === 1 ? only : ''
  const placed = files.map(({ path, file }) => ({ path: path.slice(prefix.length), file }))
  return { root: prefix.slice(0, -1) || 'images', files: placed, passedOver: passedOver(placed) }
}

/** The images of a drop or of an input's change, folders or not, and how many files there were. */
export async function imagesFrom(
  event: Event,
): Promise<{ readonly images: readonly File[]; readonly offered: number }> {
  const { files } = await selectionFrom(event)
  const images = files.flatMap(({ path, file }) =>
    PICTURE.test(path) && file instanceof File ? [file] : [],
  )
  return { images, offered: files.length }
}

/**
 * Whether files or folders are dropped, also an empty folder, and not text. Only valid during the
 * event.
 */
export function bringsFiles({ dataTransfer }: DragEvent): boolean {
  return dataTransfer !== null && Array.from(dataTransfer.items).some(({ kind }) => kind === 'file')
}

function passedOver(files: readonly PlacedFile[]): Selection['passedOver'] {
  const counts = new Map<string, number>()
  for (const { path } of files) {
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (PICTURE.test(name) || path.split('/').some((part) => part.startsWith('.'))) continue
    const ending = /\.[^.]+$/.exec(name)?.[0].toLowerCase() ?? 'no ending'
    counts.set(ending, (counts.get(ending) ?? 0) + 1)
  }
  return [...counts].sort((a, b) => b[1] - a[1])
}
