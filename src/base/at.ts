/**
 * The element of a list at `index`.
 * @throws RangeError outside the list: a wrong index fails, and never passes as a default
 * @example at([3, 5, 7], 1) // 5
 */
export function at<T>(list: ArrayLike<T>, index: number): T {
  const value = list[index]
  if (value === undefined)
    throw new RangeError(`index ${index} is outside a list of ${list.length}`)
  return value
}
