import { expect, test } from 'vitest'
import { filesDataset } from '../../src/data/filesDataset.ts'
import {
  addClass,
  addImages,
  datasetOf,
  datasetOrProblem,
  emptyProject,
  freeName,
  nameProblem,
  type Project,
  pathOf,
  projectOf,
  removeClass,
  removeImage,
  renameClass,
  sameImages,
} from '../../src/web/project.ts'

const division = { split: 0.25, seed: 3 }
const blob = () => new Blob(['x'])
const placed = (...paths: string[]) => paths.map((path) => ({ path, file: blob() }))
const some = (folder: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${folder}/${i}.png`)

function project(...paths: string[]): Project {
  const made = projectOf({ root: 'photos', files: placed(...paths), passedOver: [] })
  if (typeof made === 'string') throw new Error(made)
  return made
}

const namesOf = ({ train, val }: ReturnType<typeof datasetOf>) => ({
  train: [...train].map(({ name, label }) => `${label} ${name}`),
  val: [...val].map(({ name, label }) => `${label} ${name}`),
})

test.each([
  ['classes', [...some('cat', 9), ...some('dog/young', 7)]],
  [
    'parts',
    [
      ...some('train/cat', 3),
      ...some('train/dog', 3),
      ...some('val/cat', 2),
      ...some('val/dog', 2),
    ],
  ],
])('a folder of %s is divided as the same folder on the disk', (_, paths) => {
  const same = filesDataset(placed(...paths), {
    root: 'photos',
    ...(paths[0]?.startsWith('train') ? {} : division),
  })
  expect(namesOf(datasetOf(project(...paths), division))).toEqual(namesOf(same as never))
})

test('a class may be named like a folder of a part, and folders around all classes are passed through', () => {
  const made = project(...some('all/train', 3), ...some('all/plane', 3))
  expect(made.classes).toEqual(['plane', 'train'])
  expect(made.images.every(({ part }) => part === null)).toBe(true)
  const renamed = renameClass(made, 'plane', 'val')
  expect(datasetOf(renamed, division).classes).toEqual(['train', 'val'])
})

test('classes are named, filled, renamed and removed, and nothing is lost on the way', () => {
  let made = ['cat', 'dog'].reduce(addClass, emptyProject)
  expect(freeName(made)).toBe('class 3')
  const files = (...names: string[]) => names.map((name) => ({ name, file: blob() }))
  made = addImages(made, 'cat', files('a.png', 'a.png', 'b'))
  made = addImages(made, 'dog', files('a.png', 'c.png'))
  expect(made.images.map(pathOf)).toEqual([
    'cat/a.png',
    'cat/a 2.png',
    'cat/b',
    'dog/a.png',
    'dog/c.png',
  ])
  const before = made
  made = renameClass(made, 'cat', ' lion ')
  expect(sameImages(made, before)).toBe(true)
  expect(datasetOf(made, division).classes).toEqual(['dog', 'lion'])
  expect(nameProblem(made, 'dog')).toMatch(/already/)
  expect(nameProblem(made, '  ')).toMatch(/Write a name/)
  expect(nameProblem(made, 'a/b')).toMatch(/no \//)
  expect(nameProblem(made, 'wolf')).toBe(null)
  const [first] = made.images
  if (!first) throw new Error('no image')
  made = removeImage(made, first)
  expect(made.images).toHaveLength(4)
  expect(sameImages(made, before)).toBe(false)
  made = removeClass(made, 'lion')
  expect(made).toMatchObject({ classes: ['dog'], images: [{ class: 'dog' }, { class: 'dog' }] })
})

test('images added to a folder that is divided are divided too', () => {
  const made = project(
    ...some('train/cat', 3),
    ...some('train/dog', 3),
    ...some('val/cat', 1),
    ...some('val/dog', 1),
  )
  const files = Array.from({ length: 8 }, (_, i) => ({ name: `new ${i}.png`, file: blob() }))
  const more = addImages(addClass(made, 'owl'), 'owl', files)
  const { train, val, classes } = datasetOf(more, division)
  expect(classes).toEqual(['cat', 'dog', 'owl'])
  expect([train.length, val.length]).toEqual([12, 4])
})

test('what a project lacks is said in a sentence', () => {
  const two = ['cat', 'dog'].reduce(addClass, emptyProject)
  const problem = (one: Project) => datasetOrProblem(one, division)
  expect(problem(emptyProject)).toMatch(/at least two classes/)
  expect(problem(addClass(emptyProject, 'cat'))).toMatch(/one more class/)
  expect(problem(two)).toBe('The class “cat” has no images: add some.')
  const one = addImages(two, 'cat', [{ name: '1.png', file: blob() }])
  expect(problem(one)).toBe('The class “cat” has one image: add some.')
  expect(projectOf({ root: 'photos', files: placed('1.png'), passedOver: [] })).toMatch(
    /not in a class folder/,
  )
})
