import { PICTURE } from '../host/imageFormat.ts'
import { byCodeUnit } from './dataset.ts'
import type { StrayNames } from './strayNames.ts'

/** The folders of a dataset, without their files: on a disk, in archives, or in a browser. */
export interface Tree {
  readonly folders: ReadonlyMap<string, Tree>
  /** How many images lie directly in it. */
  readonly images: number
  /** The name of one of them. */
  readonly image?: string
  /** Those of `runNames` that lie in it. */
  readonly marks: ReadonlySet<string>
}

/** A tree that grows. */
export class GrowingTree implements Tree {
  readonly folders = new Map<string, GrowingTree>()
  readonly marks = new Set<string>()
  images = 0
  image?: string

  /** Notes a file, of which only the name matters. */
  mark(name: string): void {
    if (runNames.has(name)) this.marks.add(name)
  }

  /** Notes a file that lies directly in it. */
  file(name: string): void {
    this.mark(name)
    if (!PICTURE.test(name)) return
    this.images++
    this.image ??= name
  }

  folder(name: string): GrowingTree {
    const found = this.folders.get(name) ?? new GrowingTree()
    this.folders.set(name, found)
    return found
  }
}

/**
 * The tree of files by their paths, without those that are hidden or that other programs left.
 * @param paths with `/` between names
 */
export function treeOf(paths: Iterable<string>, stray: StrayNames): Tree {
  const root = new GrowingTree()
  for (const path of paths) {
    const folders = path.split('/')
    const name = folders.pop() ?? ''
    if (stray.notePath(path)) continue
    let place = root
    for (const folder of folders) place = place.folder(folder)
    place.file(name)
  }
  return root
}

/** What Graft writes into a run's folder: see src/train/runFolder.ts and src/base/node/lock.ts. */
const runNames = new Set(['config.json', 'metrics.jsonl', 'weights.safetensors', '.graft-lock'])

/** Whether a folder is that of a trained run, or holds nothing but such folders. */
function isRun({ folders, images, marks }: Tree): boolean {
  if (marks.has('.graft-lock')) return true
  if (marks.has('config.json'))
    return images === 0 || marks.has('metrics.jsonl') || marks.has('weights.safetensors')
  const inner = [...folders.values()]
  const isBare = (tree: Tree) => tree.images === 0 && tree.folders.size === 0
  return images === 0 && inner.some(isRun) && inner.every((tree) => isRun(tree) || isBare(tree))
}

/** Whether there is more in it than the lock of a training that begins. */
function holdsRun({ folders, marks }: Tree): boolean {
  return marks.has('config.json') || [...folders.values()].some(holdsRun)
}

/**
 * A tree without the folders of runs, in the order of its names.
 * @param runs gets their paths, without those of a training that begins
 */
export function withoutRuns(tree: Tree, runs: string[], path = ''): Tree {
  const folders = new Map<string, Tree>()
  for (const [name, folder] of [...tree.folders].sort(([a], [b]) => byCodeUnit(a, b))) {
    const place = path + name
    if (isRun(folder)) {
      if (holdsRun(folder)) runs.push(place)
    } else folders.set(name, withoutRuns(folder, runs, `${place}/`))
  }
  return { folders, images: tree.images, image: tree.image, marks: tree.marks }
}
