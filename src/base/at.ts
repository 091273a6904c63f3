/**
 * The element of a list at `index`, counted from 0; below 0 from the end.
 * @throws RangeError outside the list: a wrong index fails, and never passes as a default
 * @example at([3, 5, 7], -1) // 7
 */
export function at<T>(list: ArrayLike<T>, index: number): T {
  const value = list[index < 0 ? list.length + index : index]
  if (value === undefined) throw new RangeError(`index ${index} is outside a list of ${list.length}`)
  return value
}
