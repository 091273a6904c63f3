/** 95 % intervals: how far a share that was counted may be from the true one. */

/** An interval that contains the true value 95 times in 100. */
export interface Interval {
  readonly low: number
  readonly high: number
}

/** A share with its interval. */
export interface Share extends Interval {
  readonly value: number
  /** How many were counted. */
  readonly of: number
}

/** The standard normal's 97.5 % quantile. */
export const z95 = 1.959964

/**
 * The interval of a share by Wilson's score (1927), which stays within 0 and 1 and is valid for few
 * images too.
 * @throws RangeError where there is nothing to count
 * @example shareInterval(0.8, 10)   // { low: 0.49, high: 0.943 }
 */
export function shareInterval(value: number, of: number): Interval {
  if (!(of > 0)) throw new RangeError(`a share of ${of} has no interval`)
  const center = (value + z95 ** 2 / (2 * of)) / (1 + z95 ** 2 / of)
  const half =
    (z95 / (1 + z95 ** 2 / of)) * Math.sqrt((value * (1 - value)) / of + z95 ** 2 / (4 * of ** 2))
  return { low: Math.max(0, center - half), high: Math.min(1, center + half) }
}

/**
 * A share with its interval by Wilson's score. Null where there is nothing to count.
 * @example wilson(8, 10)   // { value: 0.8, low: 0.49, high: 0.943, of: 10 }
 */
export function wilson(hits: number, of: number): Share | null {
  return of === 0 ? null : { value: hits / of, ...shareInterval(hits / of, of), of }
}

/** The difference of two shares of the same images, the first less the second. */
export interface Difference extends Interval {
  readonly value: number
}

/**
 * The difference between two classifiers' accuracies on the same images. Only images that one of
 * them predicts rightly and the other does not count as evidence (McNemar 1947). The interval is
 * that of Agresti & Min (2005): half an image is added to each of the four counts, so that it is
 * valid for few images and for classifiers that always agree.
 * @param first for each image whether the first classifier is right: 1 or 0, or a share of several
 * trials
 * @param second the same for the second classifier
 * @throws RangeError without images, or if they are not the same number
 * @example pairedDifference([1, 1, 0, 1], [1, 0, 0, 0])   // { value: 0.5, low: …, high: … }
 */
export function pairedDifference(first: ArrayLike<number>, second: ArrayLike<number>): Difference {
  const n = first.length
  if (n !== second.length || n === 0)
    throw new RangeError(`${n} and ${second.length} images: a paired difference takes the same`)
  let [sum, squares] = [0, 0]
  for (let i = 0; i < n; i++) {
    const difference = (first[i] ?? Number.NaN) - (second[i] ?? Number.NaN)
    sum += difference
    squares += difference ** 2
  }
  const center = sum / (n + 2)
  const half = (z95 / (n + 2)) * Math.sqrt(squares + 1 - sum ** 2 / (n + 2))
  return {
    value: sum / n,
    low: Math.max(-1, center - half),
    high: Math.min(1, center + half),
  }
}
