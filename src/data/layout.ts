import { DataError } from '../base/errors.ts'
import { counted, listed } from '../base/format.ts'
import type { Part } from './catalog.ts'
import { byCodeUnit } from './dataset.ts'
import { type NamedPart, namedPart, resemblesPart } from './partNames.ts'
import { type Tree, withoutRuns } from './tree.ts'

const CLASSES = 'one folder per class with its images inside, such as cat/1.jpg and dog/1.jpg'

/** A folder of images of one class, its path below the root with `/` between names. */
export interface ClassFolder {
  readonly path: string
  /** The class: the folder's name in the composed form of Unicode (NFC). */
  readonly name: string
  /** Null if a seeded share of the class will be held out. */
  readonly part: Part | null
}

/** Which folders of a dataset are its parts and which are its classes. */
export interface Layout {
  /** All of them lie at the same depth. */
  readonly folders: readonly ClassFolder[]
  /** What a person should know about it, in sentences. */
  readonly remarks: readonly string[]
}

/** How errors name a folder by its path below the root; the root's path is ''. */
type Naming = (path: string) => string

interface NamedFolder extends NamedPart {
  readonly name: string
  readonly tree: Tree
}

/**
 * Finds a dataset's classes, and its parts where folders are named as such (see partNames.ts). It
 * never takes parts for classes: where it is not plain, an error asks.
 *
 * - A folder that lies alone around all the others is passed through.
 * - Two folders that name the parts train and val of the same thing are the parts; one that names
 *   its test part is read by neither, and neither are other folders beside them.
 * - A single folder that is named like a part and holds images and no folders is a class.
 * - Everything else in the folder is a class. Names that are one text in Unicode are one class.
 *
 * @param nameOf how errors name a folder by its path below the root
 * @param testSet whether the images are only to be evaluated on: then one part may lie alone
 * @throws DataError where there are no class folders, one part is missing or there twice, or
 * folders might be parts
 */
export function layoutOf(whole: Tree, nameOf: Naming, testSet = false): Layout {
  const remarks: string[] = []
  const runs: string[] = []
  const { path, tree } = innermost(withoutRuns(whole, runs), testSet)
  if (runs.length > 0) remarks.push(`passed over folders of trained runs: ${listed(runs)}`)
  if (path !== '') remarks.push(`the classes lie in ${path}/, the only folder`)
  const below = path === '' ? '' : `${path}/`
  const parts = partsOf(tree, path, nameOf, remarks)
  const folders = parts
    ? (['train', 'val'] as const).flatMap((part) => {
        const place = below + parts[part].name
        return classFolders(parts[part].tree, place, part, nameOf, remarks)
      })
    : classFolders(tree, path, null, nameOf, remarks)
  if (parts && tree.images > 0) remarks.push(outside(tree, path))
  return { folders, remarks }
}

/** The folder that holds more than one folder, or classes: through folders that lie alone. */
function innermost(whole: Tree, testSet: boolean): { readonly path: string; readonly tree: Tree } {
  const names: string[] = []
  for (let tree = whole; ; ) {
    const [only, ...others] = tree.folders
    const goesOn =
      only && others.length === 0 && only[1].images === 0 && only[1].folders.size > 0 && only
    if (!goesOn) return { path: names.join('/'), tree }
    const [name, inner] = goesOn
    // A part that lies alone lacks the other one.
    const isPart = namedPart(name)?.of === '' && !testSet
    if (isPart && groupsOf(inner).every((group) => !isWhole(group)))
      return { path: names.join('/'), tree }
    names.push(name)
    tree = inner
  }
}

/** Folders named like parts, those of the same thing together. */
function groupsOf({ folders }: Tree): NamedFolder[][] {
  const groups = new Map<string, NamedFolder[]>()
  for (const [name, tree] of folders) {
    const named = namedPart(name)
    if (named) groups.set(named.of, [...(groups.get(named.of) ?? []), { ...named, name, tree }])
  }
  return [...groups.values()]
}

const isWhole = (group: readonly NamedFolder[]) =>
  group.some(({ part }) => part === 'train') && group.some(({ part }) => part === 'val')

const holdsFolders = ({ images, folders }: Tree) => images === 0 && folders.size > 0

/** The folders of both parts; null if the folders are classes. */
function partsOf(
  tree: Tree,
  path: string,
  nameOf: Naming,
  remarks: string[],
): Readonly<Record<Part, NamedFolder>> | null {
  const groups = groupsOf(tree)
  const here = nameOf(path)
  const [group, second] = groups.filter(isWhole)
  if (!group) {
    for (const part of groups) refuseHalf(part, path, nameOf)
    refuseDivided(tree, path, nameOf)
    refuseResembling(tree, here, remarks)
    for (const { name } of groups.flat().filter(({ of }) => of === ''))
      remarks.push(`${name}/ holds images and is read as a class, not as a part of the dataset`)
    return null
  }
  if (second)
    throw new DataError(
      `${here} is divided more than once, by ${slashed([...group, ...second])}: ` +
        'give a folder with one division',
    )
  const only = (part: Part): NamedFolder => {
    const named = group.filter((folder) => folder.part === part)
    const [first, ...others] = named
    if (!first || others.length > 0)
      throw new DataError(
        `${here} has more than one folder that is named ${part}, ${slashed(named)}: ` +
          'keep one, or rename the others',
      )
    return first
  }
  const parts = { train: only('train'), val: only('val') }
  const { train, val } = parts
  if (train.name !== 'train' || val.name !== 'val')
    remarks.push(`${train.name}/ is read to train on, ${val.name}/ to validate on`)
  const tests = group.filter(({ part }) => part === 'test')
  if (tests.length > 0)
    remarks.push(`${slashed(tests)} is left for evaluation: it is neither trained nor validated on`)
  const used = new Set(group.map(({ name }) => name))
  const others = [...tree.folders.keys()].filter((name) => !used.has(name))
  if (others.length > 0)
    remarks.push(`passed over ${listed(others)} beside ${train.name}/ and ${val.name}/`)
  return parts
}

/** Refuses folders that are parts of which one is missing, or might be. */
function refuseHalf(group: readonly NamedFolder[], path: string, nameOf: Naming): void {
  const [first] = group
  const several = new Set(group.map(({ part }) => part)).size > 1
  const holding = group.filter(({ tree }) => holdsFolders(tree))
  if (!first || !(several || (first.of === '' && holding.length > 0))) return
  const here = nameOf(path)
  if (holding.length === 0)
    throw new DataError(
      `${here}: ${slashed(group)} are named like parts of a dataset and hold no class folders: ` +
        'put a folder per class into each, or rename them if they are classes',
    )
  const { name, part } = holding.find((folder) => folder.part === 'train') ?? first
  const missing = part === 'train' ? 'val' : 'train'
  const inner = path === '' ? name : `${path}/${name}`
  const tests = part === 'train' ? holding.filter((folder) => folder.part === 'test') : []
  const instead =
    tests.length > 0 ? `, or call ${slashed(tests)} val/ to validate on its images` : ''
  throw new DataError(
    `${here} has ${slashed(group)} but no ${missing}/: add ${missing}/ with a folder per class, ` +
      `or give ${nameOf(inner)} to have a part of it held out${instead}`,
  )
}

/** Refuses folders in whose places classes are expected and which hold the parts themselves. */
function refuseDivided(tree: Tree, path: string, nameOf: Naming): void {
  for (const [name, inner] of tree.folders) {
    const parts = groupsOf(inner).find((group) => group[0]?.of === '' && isWhole(group))
    if (!parts) continue
    const place = path === '' ? name : `${path}/${name}`
    const beside = [...tree.folders.keys()].filter((other) => other !== name)
    throw new DataError(
      `${nameOf(place)} is divided by ${slashed(parts)} beside ${listed(beside)}: ` +
        `give ${nameOf(place)} to train on its parts; if it is a class, put its images directly ` +
        'into it, or into a folder of its name in each of the parts',
    )
  }
}

/**
 * Folders that hold no images but folders of the same names may be parts with the same classes. If
 * one is named a little like a part, an error asks; otherwise a remark says how they are read.
 */
function refuseResembling(tree: Tree, here: string, remarks: string[]): void {
  const all = [...tree.folders.keys()]
  if (all.length > 1 && all.every(resemblesPart))
    remarks.push(
      `${listed(all)} are read as classes; if they are parts of a dataset, call them train and ` +
        'val, with a folder per class in each',
    )
  const holders = new Map<string, string[]>()
  const holding = [...tree.folders].filter(([, folder]) => holdsFolders(folder))
  for (const [name, { folders }] of holding)
    for (const inner of folders.keys()) {
      const key = inner.normalize('NFC')
      holders.set(key, [...(holders.get(key) ?? []), name])
    }
  const shared = [...holders].filter(([, names]) => names.length > 1)
  const alike = holding.filter(([name, { folders }]) => {
    const count = shared.filter(([, names]) => names.includes(name)).length
    return 2 * count >= folders.size
  })
  if (alike.length < 2) return
  const names = alike.map(([name]) => name)
  const same = listed(shared.map(([name]) => name))
  if (names.some(resemblesPart))
    throw new DataError(
      `${here}: ${listed(names)} hold folders of the same names, ${same}, and may be parts of ` +
        'one dataset: call them train and val, or put the images of each directly into it if ' +
        'they are classes',
    )
  remarks.push(
    `${listed(names)} are read as classes, though they hold folders of the same names, ${same}`,
  )
}

/** The class folders directly in a folder; at least one. */
function classFolders(
  tree: Tree,
  path: string,
  part: Part | null,
  nameOf: Naming,
  remarks: string[],
): ClassFolder[] {
  if (tree.folders.size === 0) {
    const found = tree.images
      ? 'holds images but no class folders: put them into'
      : 'holds no class folders: it needs'
    throw new DataError(`${nameOf(path)} ${found} ${CLASSES}`)
  }
  if (tree.images > 0) remarks.push(outside(tree, path))
  const spellings = new Map<string, string>()
  return [...tree.folders.keys()].sort(byCodeUnit).map((folder) => {
    const name = folder.normalize('NFC')
    if (spellings.has(name))
      remarks.push(
        `two folders ${name} ${part ? `in ${path}/ ` : ''}are one class: ` +
          'their names are one text in two forms of Unicode',
      )
    spellings.set(name, folder)
    return { path: path === '' ? folder : `${path}/${folder}`, name, part }
  })
}

function outside({ images, image = '' }: Tree, path: string): string {
  const example = path === '' ? image : `${path}/${image}`
  return `passed over ${counted(images, 'image')} outside of the class folders, such as ${example}`
}

/** 'a/ and b/'. */
function slashed(folders: readonly NamedFolder[]): string {
  return folders.map(({ name }) => `${name}/`).join(' and ')
}

/** The classes of some class folders, sorted by code unit. */
export function classesOf(folders: readonly ClassFolder[], part?: Part): string[] {
  const names = folders.filter((folder) => part === undefined || folder.part === part)
  return [...new Set(names.map(({ name }) => name))].sort(byCodeUnit)
}

/** A function that gives the class folder that a path below the root lies in, if it lies in one. */
export function folderFinder(
  folders: readonly ClassFolder[],
): (path: string) => ClassFolder | undefined {
  const byPath = new Map(folders.map((folder) => [folder.path, folder]))
  const depth = folders[0]?.path.split('/').length ?? 0 // there is always one
  return (path) => byPath.get(path.split('/', depth).join('/'))
}
