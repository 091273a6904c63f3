import { UsageError } from '../../base/errors.ts'
import { option, optionText } from '../../base/optionText.ts'
import { countByClass, type ImageDataset } from '../../data/dataset.ts'

/** 'balanced', or the weight of each class by name; classes that are not named have weight 1. */
export type ClassWeights = 'balanced' | Readonly<Record<string, number>>

/**
 * A weight for each class. 'balanced': images / (classes · images of the class), so that all
 * classes have the same weight in total (King & Zeng 2001; scikit-learn's class_weight).
 * @throws UsageError for a class that the data does not have, or a weight that is not above 0
 */
export function resolveClassWeights(
  weights: ClassWeights,
  { classes, train }: ImageDataset,
): Float32Array {
  if (weights === 'balanced') {
    return Float32Array.from(
      countByClass(train, classes.length),
      (count) => train.length / (classes.length * Math.max(1, count)),
    )
  }
  // A class may be called 'constructor', which is no weight, and be typed in another Unicode form.
  const known = new Set(classes.map(composed))
  const named = new Map<string, number>()
  for (const [name, value] of Object.entries(weights)) {
    if (!known.has(composed(name)))
      throw new UsageError(
        optionText`${option('classWeights')} names '${name}', and the classes are
          ${classes.join(', ')}`,
      )
    if (!(value > 0 && Number.isFinite(value)))
      throw new UsageError(
        optionText`${option('classWeights')} gives '${name}' ${value}: give a number above 0`,
      )
    named.set(composed(name), value)
  }
  return Float32Array.from(classes, (name) => named.get(composed(name)) ?? 1)
}

const composed = (name: string) => name.normalize('NFC')
