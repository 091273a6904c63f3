import { at } from '../base/at.ts'
import { GraftError } from '../base/errors.ts'
import { counted } from '../base/format.ts'
import { printable } from '../base/printable.ts'
import { Catalog, type Part } from '../data/catalog.ts'
import { byCodeUnit, type ImageDataset } from '../data/dataset.ts'
import { filesDataset } from '../data/filesDataset.ts'
import { ignoring, resolveSplit } from '../data/split.ts'
import type { Selection } from './selection.ts'
import { pageMessage } from './settings.ts'

/** An image of a class. */
export interface ProjectImage {
  /** Its path below the class's folder: no two images of a class and part share one. */
  readonly name: string
  readonly file: Blob
  readonly class: string
  /** Null where a seeded share of each class is held out. */
  readonly part: Part | null
}

/** What a person collects on the page: classes, and the images of each. */
export interface Project {
  readonly name: string
  /** In the order in which they were made; one that was just named has no images. */
  readonly classes: readonly string[]
  readonly images: readonly ProjectImage[]
  /** New names that classes got since the last training, in their order. */
  readonly renamed: readonly { readonly from: string; readonly to: string }[]
  /** What a person should know about how a folder was read, in sentences. */
  readonly remarks: readonly string[]
  readonly passedOver: Selection['passedOver']
}

export const emptyProject: Project = {
  name: 'images',
  classes: [],
  images: [],
  renamed: [],
  remarks: [],
  passedOver: [],
}

type Division = { readonly split: number; readonly seed: number }

/** The project of a folder, read as `graft train` reads it; or a line that says what is wrong. */
export function projectOf(selection: Selection): Project | string {
  const { root, files, passedOver } = selection
  try {
    const data = filesDataset(files, { root })
    const parts = (['train', 'val'] as const).map((part) => ({ part, samples: [...data[part]] }))
    const depth = classDepth(
      data.classes,
      parts.flatMap(({ samples }) => samples),
    )
    // The folder itself says which images are held out if the parts lie in folders of their own.
    const above = parts.map(({ samples }) => at(samples, 0).name.split('/').slice(0, depth))
    const divided = above[0]?.join('/') !== above[1]?.join('/')
    const images = parts.flatMap(({ part, samples }) =>
      samples.flatMap(({ name, label, source }) =>
        source instanceof Blob
          ? [
              {
                name: name
                  .split('/')
                  .slice(depth + 1)
                  .join('/'),
                file: source,
                class: at(data.classes, label),
                part: divided ? part : null,
              },
            ]
          : [],
      ),
    )
    const { classes, remarks = [] } = data
    return { name: root, classes, images, renamed: [], remarks, passedOver }
  } catch (error) {
    if (error instanceof GraftError) return pageMessage(error)
    throw error
  }
}

/** At which part of their paths the class's name stands; it is the same for all. */
function classDepth(
  classes: readonly string[],
  samples: readonly { readonly name: string; readonly label: number }[],
): number {
  const paths = samples.map(({ name, label }) => ({ parts: name.split('/'), label }))
  const shortest = Math.min(...paths.map(({ parts }) => parts.length))
  for (let depth = 0; depth < shortest; depth++)
    if (paths.every(({ parts, label }) => at(parts, depth).normalize('NFC') === classes[label]))
      return depth
  throw new RangeError('the classes of a folder are names in its paths')
}

/** Whether the person, not the seed, decided which images are held out. */
export const saysParts = ({ images }: Project) => images.some(({ part }) => part !== null)

/** The name of an image in messages and in a saved project. */
export const pathOf = ({ part, class: name, name: file }: ProjectImage) =>
  `${part === null ? '' : `${part}/`}${name}/${file}`

/** The dataset of a project. @throws DataError as `filesDataset` does */
export function datasetOf({ name, classes, images }: Project, { split, seed }: Division) {
  const sorted = [...classes].sort(byCodeUnit)
  const labels = new Map(sorted.map((one, label) => [one, label]))
  const catalog = new Catalog((_, row) => at(images, row).file)
  for (const image of images)
    catalog.add(pathOf(image), labels.get(image.class) ?? Number.NaN, image.part)
  const options = ignoring({ split, seed }, ['split', 'seed'])
  return catalog.divide(name, sorted, resolveSplit('datasetOf', options))
}

/** The dataset, or a line that says what the project lacks. */
export function datasetOrProblem(project: Project, division: Division): ImageDataset | string {
  const { classes, images } = project
  if (classes.length < 2)
    return classes.length === 0
      ? 'Add at least two classes of images.'
      : 'Add one more class: there must be something to tell apart.'
  for (const name of classes) {
    const count = images.filter((image) => image.class === name).length
    if (count < 2)
      return `The class “${name}” has ${count === 0 ? 'no images' : 'one image'}: add some.`
  }
  try {
    return datasetOf(project, division)
  } catch (error) {
    if (error instanceof GraftError) return pageMessage(error)
    throw error
  }
}

/** What is wrong with a new name of a class; null if it can be used. */
export function nameProblem({ classes }: Project, name: string): string | null {
  const wanted = name.normalize('NFC').trim()
  if (wanted === '') return 'Write a name.'
  if (/[/\\]/.test(wanted)) return 'A name has no / and no \\ in it.'
  if (wanted === '.' || wanted === '..') return 'That is not a name.'
  if (wanted.length > 100) return 'A name has at most 100 letters.'
  return classes.includes(wanted) ? 'There is a class of that name already.' : null
}

/** Whether two states of a project have the same images, whatever their classes are called. */
export function sameImages(one: Project, other: Project): boolean {
  return (
    one.images.length === other.images.length &&
    one.classes.length === other.classes.length &&
    one.images.every(({ file }, i) => file === at(other.images, i).file)
  )
}

export function addClass(project: Project, name: string): Project {
  return { ...project, classes: [...project.classes, name.normalize('NFC').trim()] }
}

/** A name for a class that has none yet. */
export function freeName({ classes }: Project): string {
  for (let i = classes.length + 1; ; i++) if (!classes.includes(`class ${i}`)) return `class ${i}`
}

export function renameClass(project: Project, from: string, to: string): Project {
  const name = to.normalize('NFC').trim()
  return {
    ...project,
    classes: project.classes.map((one) => (one === from ? name : one)),
    images: project.images.map((image) =>
      image.class === from ? { ...image, class: name } : image,
    ),
    renamed: [...project.renamed, { from, to: name }],
  }
}

/** What the classes that a network was trained on are called by now. */
export function namesNow({ renamed }: Project, trained: readonly string[]): string[] {
  return trained.map((name) =>
    renamed.reduce((now, { from, to }) => (now === from ? to : now), name),
  )
}

/**
 * Why a network cannot be used for the images of a project, in a sentence; null if it knows the
 * project's classes and no others.
 */
export function classesChanged({ classes }: Project, trained: readonly string[]): string | null {
  const gone = trained.filter((name) => !classes.includes(name))
  const added = classes.filter((name) => !trained.includes(name))
  if (gone.length + added.length === 0) return null
  const list = (names: readonly string[]) => names.map((name) => `“${printable(name)}”`).join(', ')
  const changes = [
    ...(added.length > 0 ? [`${list(added)} ${added.length > 1 ? 'were' : 'was'} added`] : []),
    ...(gone.length > 0 ? [`${list(gone)} ${gone.length > 1 ? 'were' : 'was'} removed`] : []),
  ]
  return (
    'The classes of this project were changed after its network was trained: ' +
    `${changes.join(' and ')}. That network was not opened: train again.`
  )
}

export function removeClass(project: Project, name: string): Project {
  return {
    ...project,
    classes: project.classes.filter((one) => one !== name),
    images: project.images.filter((image) => image.class !== name),
  }
}

export function removeImage(project: Project, image: ProjectImage): Project {
  return { ...project, images: project.images.filter((one) => one !== image) }
}

/** Of the images that are added where a folder says itself what is held out, each fourth is. */
const heldOutEach = 4

/** Adds images to a class. A name that is taken gets a number. */
export function addImages(
  project: Project,
  to: string,
  files: readonly { readonly name: string; readonly file: Blob }[],
): Project {
  const divided = saysParts(project)
  const here = project.images.filter((image) => image.class === to)
  const taken = new Set(here.map(({ name }) => name))
  const added = files.map(({ name: given, file }, i): ProjectImage => {
    const name = unusedName(given, taken)
    taken.add(name)
    const held = (here.length + i) % heldOutEach === heldOutEach - 1
    return { name, file, class: to, part: divided ? (held ? 'val' : 'train') : null }
  })
  return { ...project, images: [...project.images, ...added] }
}

function unusedName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name
  const [, stem, ending] = /^(.*?)(\.[^.]*)?$/s.exec(name) ?? []
  for (let i = 2; ; i++) {
    const other = `${stem} ${i}${ending ?? ''}`
    if (!taken.has(other)) return other
  }
}

/** How many images were left out of those that were offered to a class, in a sentence. */
export function leftOutOf(offered: number, taken: number): string | null {
  const out = offered - taken
  return out === 0 ? null : `${counted(out, 'file')} left out: only JPEG, PNG and WebP are read.`
}
