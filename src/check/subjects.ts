import { specifications } from '../reference/index.ts'
import { imageSubject } from './images.ts'
import { operatorSubject } from './operator.ts'
import type { Subject } from './subject.ts'
import { trainingSubjects } from './training.ts'
import { valueSubjects } from './values.ts'

/** Everything with kernels to check: the operators, then what runs beside them. */
export const subjects: readonly Subject[] = [
  ...Object.values(specifications).map(operatorSubject),
  ...trainingSubjects,
  imageSubject,
  ...valueSubjects,
]

/** The subject of this name, in camelCase or in snake_case; undefined where there is none. */
export function subjectNamed(name: string): Subject | undefined {
  const camelCase = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
  return subjects.find((subject) => subject.name === camelCase)
}

/** The subject that checks a file under shaders/: by its path, its folder, or a name like it. */
export function subjectOf(file: string): Subject | undefined {
  const folder = file.slice(0, file.indexOf('/'))
  return (
    subjects.find(({ checks }) => checks.includes(file)) ??
    subjects.find(({ checks }) => checks.includes(folder)) ??
    subjectNamed(folder)
  )
}
